//go:build !race

package phone_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"switchboard/whatsapp/simulator/phone"
)

// TestBusyChat lets a companion write as fast as it can to a phone that answers everything:
// each message and each answer must arrive, and every one must open at once.
func TestBusyChat(t *testing.T) {
	t.Parallel()
	const messages = 1000
	w := newWorld(t)
	anna, ben := w.phone(t, "4915110000001", "Anna"), w.phone(t, "4915110000002", "Ben")
	c := link(t, w, anna)
	ctx := within(t, 2*time.Minute)
	if err := ben.SetAnswer(ctx, phone.Answer{On: true, Prefix: "re: "}); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	sent := make(chan error, 1)
	go func() {
		for i := range messages {
			err := c.guard.Send(ctx, types.NewJID(ben.Number(), types.DefaultUserServer), func(ctx context.Context) error {
				_, err := c.SendMessage(ctx, types.NewJID(ben.Number(), types.DefaultUserServer), &waE2E.Message{Conversation: proto.String(fmt.Sprint(i))})
				return err
			})
			if err != nil {
				sent <- fmt.Errorf("message %d: %w", i, err)
				return
			}
		}
		sent <- nil
	}()
	missing := map[string]bool{}
	for i := range messages {
		missing[fmt.Sprint("re: ", i)] = true
	}
	for len(missing) > 0 {
		select {
		case e := <-c.events:
			switch e := e.(type) {
			case *events.Message:
				delete(missing, e.Message.GetConversation())
			case *events.UndecryptableMessage:
				t.Errorf("the companion could not open %s", e.Info.ID)
			}
		case err := <-sent:
			if err != nil {
				t.Fatal(err)
			}
			sent = nil
		case <-ctx.Done():
			t.Fatalf("%d answers did not come", len(missing))
		}
	}
	t.Logf("%d messages each way in %s", messages, time.Since(start).Round(time.Millisecond))
	// The phone of the companion's account has seen all of it, too.
	for _, p := range []*phone.Phone{anna, ben} {
		seen := map[string]bool{}
		for after := int64(0); len(seen) < 2*messages; {
			all, err := p.Watch(ctx, after)
			if err != nil {
				t.Fatalf("%s has %d of %d messages: %v", p.Name(), len(seen), 2*messages, err)
			}
			for _, e := range all {
				seen[e.ID], after = true, e.Seq
			}
		}
		if n := p.Undecryptable(); n != 0 {
			t.Errorf("%s could not open %d messages", p.Name(), n)
		}
	}
	if retries := w.network.Stats().Retries; retries != 0 {
		t.Errorf("%d messages were asked for again", retries)
	}
}

// TestManyPhones has many phones write to each other at once.
func TestManyPhones(t *testing.T) {
	t.Parallel()
	const phones, messages = 30, 10
	w := newWorld(t)
	start := time.Now()
	fleet := make([]*phone.Phone, phones)
	all(t, phones, func(i int) {
		var err error
		if fleet[i], err = w.fleet.AddPhone(t.Context(), fmt.Sprint(4915120000000+i), ""); err != nil {
			t.Error(err)
		}
	})
	if t.Failed() {
		return
	}
	t.Logf("%d phones in %s", phones, time.Since(start).Round(time.Millisecond))
	ctx := within(t, time.Minute)
	start = time.Now()
	all(t, phones, func(i int) {
		for n := range messages {
			to := fleet[(i+1+n%3)%phones]
			if _, err := fleet[i].SendText(ctx, to.Number(), fmt.Sprint("message ", n)); err != nil {
				t.Errorf("phone %d: %v", i, err)
			}
		}
	})
	all(t, phones, func(i int) {
		got := map[string]bool{}
		for after := int64(0); len(got) < messages; {
			changes, err := fleet[i].Watch(ctx, after)
			if err != nil {
				t.Errorf("phone %d has %d of %d messages: %v", i, len(got), messages, err)
				return
			}
			for _, e := range changes {
				after = e.Seq
				if !e.FromMe {
					got[e.ID] = true
				}
			}
		}
		if n := fleet[i].Undecryptable(); n != 0 {
			t.Errorf("phone %d could not open %d messages", i, n)
		}
	})
	t.Logf("%d messages in %s", phones*messages, time.Since(start).Round(time.Millisecond))
}
