//go:build !race

package whatsapp

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"switchboard/messages"
	"switchboard/whatsapp/simulator/phone"
)

// In a busy chat sending and receiving step the same Signal session all the time. Without
// the turns of package serial about one message in a hundred is lost.
func TestBusyChat(t *testing.T) {
	const n, senders = 1000, 4
	p, s, owner := paired(t, usualPace)
	friend := newPhone(t, "Friend")
	if err := friend.SetAnswer(within(t), phone.Answer{On: true, Prefix: "re: "}); err != nil {
		t.Fatal(err)
	}
	ownerBefore := owner.Undecryptable()
	begin := time.Now()
	var all sync.WaitGroup
	errs := make(chan error, n)
	for i := range senders {
		all.Go(func() {
			for j := i; j < n; j += senders {
				if _, err := s.SendText(t.Context(), friend.Number(), fmt.Sprint("message ", j)); err != nil {
					errs <- fmt.Errorf("message %d: %w", j, err)
				}
			}
		})
	}
	all.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	took := time.Since(begin)
	p.eventually("all answers", func(all []messages.Message) bool { return count(fromOthers, all) >= n })
	stored := map[string]int{}
	undecryptable, sent := 0, 0
	for _, m := range p.all() {
		stored[m.Text]++
		if m.Kind == messages.Undecryptable {
			undecryptable++
		}
		if m.FromMe {
			sent++
		}
	}
	arrived := received(t, friend, owner.Number())
	for j := range n {
		text := fmt.Sprint("message ", j)
		if stored[text] != 1 || stored["re: "+text] != 1 || arrived[text] != 1 {
			t.Errorf("%q: stored %d times, its answer %d times, arrived %d times", text, stored[text], stored["re: "+text], arrived[text])
		}
	}
	if undecryptable != 0 || friend.Undecryptable() != 0 {
		t.Errorf("undecryptable: %d here, %d on the phone", undecryptable, friend.Undecryptable())
	}
	t.Logf("sent %d in %.1f s (%.0f/s), arrived %d, answers stored %d, undecryptable here %d, on the phone %d (on the owner's phone %d)",
		sent, took.Seconds(), float64(n)/took.Seconds(), len(arrived), len(stored)-sent, undecryptable,
		friend.Undecryptable(), owner.Undecryptable()-ownerBefore)
}

// Two who begin to write to each other at the same moment each begin a Signal session, and
// while their messages cross they go to and fro between the two. What package serial repairs
// keeps that from spoiling both. Not every pair manages to begin at the same moment, so there
// are several.
func TestBothBegin(t *testing.T) {
	const pairs = 8
	before := network1.Stats().Retries
	t.Run("pairs", func(t *testing.T) {
		for range pairs {
			t.Run("", bothBegin)
		}
	})
	if retries := network1.Stats().Retries - before; retries != 0 {
		t.Errorf("%d messages were asked for again", retries)
	}
}

func bothBegin(t *testing.T) {
	t.Parallel()
	const n = 60
	p, s, owner := paired(t, usualPace)
	friend := newPhone(t, "Friend")
	if err := friend.SetAnswer(within(t), phone.Answer{On: true, Prefix: "re: "}); err != nil {
		t.Fatal(err)
	}
	var both sync.WaitGroup
	both.Go(func() {
		for i := range n {
			if _, err := s.SendText(t.Context(), friend.Number(), fmt.Sprint("out ", i)); err != nil {
				t.Errorf("out %d: %v", i, err)
			}
		}
	})
	both.Go(func() {
		for i := range n {
			if _, err := friend.SendText(t.Context(), owner.Number(), fmt.Sprint("in ", i)); err != nil {
				t.Errorf("in %d: %v", i, err)
			}
		}
	})
	both.Wait()
	stored := map[string]int{}
	for _, m := range p.eventually("all messages and answers", func(all []messages.Message) bool {
		return count(fromOthers, all) >= 2*n
	}) {
		stored[m.Text]++
	}
	arrived := received(t, friend, owner.Number())
	for i := range n {
		out, in := fmt.Sprint("out ", i), fmt.Sprint("in ", i)
		if stored[out] != 1 || stored["re: "+out] != 1 || stored[in] != 1 || arrived[out] != 1 {
			t.Errorf("%q: stored %d times, its answer %d times, arrived %d times; %q: stored %d times",
				out, stored[out], stored["re: "+out], arrived[out], in, stored[in])
		}
	}
	if stored[""] != 0 || friend.Undecryptable() != 0 {
		t.Errorf("undecryptable: %d here, %d on the phone", stored[""], friend.Undecryptable())
	}
}

// received counts by text what a phone got from a number.
func received(t *testing.T, p *phone.Phone, from string) map[string]int {
	t.Helper()
	ids := map[string]bool{} // an entry comes again with every change of it
	texts := map[string]int{}
	for after := int64(0); ; {
		page, err := p.Changes(within(t), after)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			return texts
		}
		for _, e := range page {
			after = e.Seq
			if e.From == from && !ids[e.ID] {
				ids[e.ID] = true
				texts[e.Text]++
			}
		}
	}
}
