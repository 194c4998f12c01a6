//go:build !race

package whatsapp

import (
	"testing"

	"switchboard/messages"
)

// A message that is sent again under its id is one message: on the phone it arrives at, and here.
func TestAMessageUnderOneID(t *testing.T) {
	p, s, owner := paired(t, usualPace)
	friend := newPhone(t, "Friend")
	ctx := WithMessageID(t.Context(), s.NewMessageID())
	first, err := s.SendText(ctx, friend.Number(), "once")
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.SendText(ctx, friend.Number(), "once")
	if err != nil {
		t.Fatal(err)
	}
	sendText(t, s, friend.Number(), "last") // what came before has arrived when this has
	arrives(t, friend, 0, "last")
	if first.ID != again.ID || ctx.Value(messageID{}) != first.ID {
		t.Errorf("sent as %s and %s", first.ID, again.ID)
	}
	if n := received(t, friend, owner.Number())["once"]; n != 1 {
		t.Errorf("it arrived %d times", n)
	}
	stored := p.eventually("it is stored", func(all []messages.Message) bool { return count(text("once"), all) > 0 })
	if n := count(text("once"), stored); n != 1 || p.one("it", text("once")).Status == messages.NotSent {
		t.Errorf("it is stored %d times: %+v", n, stored)
	}
}
