//go:build !race

package simulator_test

import (
	"fmt"
	"slices"
	"testing"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"switchboard/whatsapp/simulator/phone"
)

// Whatever address the sender used, everybody sees the LID and learns the number; the
// sender's other devices get a copy.
func TestMessagesBothWays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada, bob := w.phone("Ada"), w.phone("Bob")
	c, other := w.pair(ada), w.pair(ada)
	c.send(w.ctx, pn(bob.Number()), "hello Bob")
	entry, err := bob.WaitFor(w.ctx, 0, func(e phone.Entry) bool { return e.Text == "hello Bob" })
	must(t, err)
	if entry.From != ada.Number() || entry.Device != c.Store.ID.Device {
		t.Errorf("Bob's phone shows %+v", entry)
	}
	_, err = ada.WaitFor(w.ctx, 0, func(e phone.Entry) bool { return e.Text == "hello Bob" && e.FromMe })
	must(t, err)
	bobLID := w.Devices(bob.Number())[0].LID
	copied := wait(other, 0, hasText("hello Bob")).Info
	if !copied.IsFromMe || copied.Chat != bobLID || copied.RecipientAlt != pn(bob.Number()) {
		t.Errorf("the other device shows %+v", copied.MessageSource)
	}

	_, err = bob.SendText(w.ctx, ada.Number(), "hello Ada")
	must(t, err)
	for _, device := range []*client{c, other} {
		got := wait(device, 0, hasText("hello Ada")).Info
		if got.IsFromMe || got.Sender != bobLID || got.SenderAlt != pn(bob.Number()) || got.PushName != "Bob" {
			t.Errorf("received as %+v from %q", got.MessageSource, got.PushName)
		}
	}
}

func TestNoteToSelf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada := w.phone("Ada")
	c, other := w.pair(ada), w.pair(ada)
	c.send(w.ctx, pn(ada.Number()), "buy milk")
	if got := wait(other, 0, hasText("buy milk")).Info; !got.IsFromMe || got.Chat.User != c.Store.LID.User {
		t.Errorf("the other device shows %+v", got.MessageSource)
	}
}

func TestReceipts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada, bob := w.phone("Ada"), w.phone("Bob")
	c, other := w.pair(ada), w.pair(ada)
	sent := c.send(w.ctx, pn(bob.Number()), "tick")
	about := func(kind types.ReceiptType) func(*events.Receipt) bool {
		return func(r *events.Receipt) bool { return r.Type == kind && slices.Contains(r.MessageIDs, sent.ID) }
	}
	for _, device := range []*client{c, other} {
		if r := wait(device, 0, about(types.ReceiptTypeDelivered)); r.Chat != sent.Chat {
			t.Errorf("delivered in %v, sent to %v", r.Chat, sent.Chat)
		}
	}
	must(t, bob.MarkRead(w.ctx, ada.Number(), sent.ID))
	wait(c, 0, about(types.ReceiptTypeRead))

	_, err := bob.SendText(w.ctx, ada.Number(), "tock")
	must(t, err)
	m := wait(c, 0, hasText("tock"))
	mark := other.mark()
	must(t, c.MarkRead(w.ctx, []types.MessageID{m.Info.ID}, m.Info.Timestamp, m.Info.Chat, m.Info.Sender))
	read := wait(other, mark, func(r *events.Receipt) bool { return r.Type == types.ReceiptTypeRead })
	if !read.IsFromMe || read.Chat != m.Info.Chat {
		t.Errorf("the other device hears of %+v", read.MessageSource)
	}
	_, err = bob.WaitFor(w.ctx, 0, func(e phone.Entry) bool { return e.Text == "tock" && e.Status == phone.Read })
	must(t, err)
}

func TestOfflineQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada, bob := w.phone("Ada"), w.phone("Bob")
	c := w.pair(ada)
	c.Disconnect()
	var want []string
	for i := range 20 {
		want = append(want, fmt.Sprint("while away ", i))
		_, err := bob.SendText(w.ctx, ada.Number(), want[i])
		must(t, err)
	}
	must(t, w.Restart(w.ctx))
	must(t, c.Connect())
	wait[*events.OfflineSyncPreview](c, 0, nil)
	wait(c, 0, hasText(want[len(want)-1]))
	if got := c.texts(); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	eventually(t, "everything is confirmed", func() bool { return w.Devices(ada.Number())[1].Queued == 0 })
}

// A message that a client could not handle, and therefore did not confirm, comes again.
func TestRedelivery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada, bob := w.phone("Ada"), w.phone("Bob")
	c := w.pair(ada)
	refused := make(chan struct{}, 8)
	full := true
	c.mu.Lock()
	c.refuse = func(evt any) bool {
		if _, ok := evt.(*events.Message); ok && full {
			refused <- struct{}{}
			return true
		}
		return false
	}
	c.mu.Unlock()
	_, err := bob.SendText(w.ctx, ada.Number(), "keep me")
	must(t, err)
	<-refused
	c.mu.Lock()
	full = false
	c.mu.Unlock()
	before := w.Connections()
	if dropped := w.Drop(target(c)); dropped != 1 {
		t.Errorf("dropped %d connections", dropped)
	}
	wait(c, 0, hasText("keep me"))
	if len(before) != len(w.Connections()) {
		t.Errorf("connections: %v, then %v", before, w.Connections())
	}
	eventually(t, "it is confirmed", func() bool { return w.Devices(ada.Number())[1].Queued == 0 })
}

// A client that lost its session asks for the message again and gets it with a new one.
func TestRetryReceipt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada, bob := w.phone("Ada"), w.phone("Bob")
	c := w.pair(ada)
	_, err := bob.SendText(w.ctx, ada.Number(), "first")
	must(t, err)
	from := wait(c, 0, hasText("first")).Info.Sender
	c.send(w.ctx, from.ToNonAD(), "an answer, so that the session is settled")
	_, err = bob.SendText(w.ctx, ada.Number(), "second")
	must(t, err)
	wait(c, 0, hasText("second"))
	must(t, ada.SetOnline(w.ctx, false)) // it would give the client its own copy
	must(t, c.Store.Sessions.DeleteSession(w.ctx, from.SignalAddress().String()))
	_, err = bob.SendText(w.ctx, ada.Number(), "third")
	must(t, err)
	wait[*events.UndecryptableMessage](c, 0, nil)
	wait(c, 0, hasText("third"))
	if s := w.Stats(); s.Retries == 0 {
		t.Errorf("no retry receipt was seen: %+v", s)
	}
}

// A busy chat: nothing lost, reordered or doubled, either way.
func TestBusyChat(t *testing.T) {
	t.Parallel()
	const messages = 300
	w := newWorld(t)
	ada, bob := w.phone("Ada"), w.phone("Bob")
	a, b := w.pair(ada), w.pair(bob)
	a.send(w.ctx, pn(bob.Number()), "begin")
	wait(b, 0, hasText("begin"))
	b.send(w.ctx, pn(ada.Number()), "begin too")
	wait(a, 0, hasText("begin too"))
	failed := make(chan error, 2)
	var want []string
	for i := range messages {
		want = append(want, fmt.Sprint("number ", i))
	}
	for _, pair := range [][2]*client{{a, b}, {b, a}} {
		go func() {
			for _, text := range want {
				if _, err := pair[0].trySend(w.ctx, pn(pair[1].Store.ID.User), text); err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
	}
	for range 2 {
		must(t, <-failed)
	}
	for name, c := range map[string]*client{"a": a, "b": b} {
		wait(c, 0, func(m *events.Message) bool {
			return m.Message.GetConversation() == want[messages-1] && !m.Info.IsFromMe
		})
		got := slices.DeleteFunc(c.texts(), func(text string) bool { return text == "begin" || text == "begin too" })
		if !slices.Equal(got, want) {
			t.Errorf("%s got %d messages: %q", name, len(got), got)
		}
	}
}
