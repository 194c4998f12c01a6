//go:build !race

package simulator_test

import (
	"slices"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"switchboard/whatsapp/simulator/phone"
)

// What whatsmeow is told of channels, over a restart of the program too.
func TestChannels(t *testing.T) {
	t.Parallel()
	dir, phonesDir := t.TempDir(), t.TempDir()
	w := newWorldIn(t, dir, phonesDir, "127.0.0.1:0")
	ada, bob := w.phone("Ada"), w.phone("Bob")
	a, b := w.pair(ada), w.pair(bob)
	made, err := a.CreateNewsletter(w.ctx, whatsmeow.CreateNewsletterParams{Name: "Weather", Description: "of the day", Picture: []byte{0xff, 0xd8, 0xff}})
	must(t, err)
	if made.ThreadMeta.Name.Text != "Weather" || made.ViewerMeta.Role != types.NewsletterRoleOwner || made.ThreadMeta.Picture == nil {
		t.Errorf("made %+v", made)
	}
	found, err := b.GetNewsletterInfoWithInvite(w.ctx, made.ThreadMeta.InviteCode)
	must(t, err)
	must(t, b.FollowNewsletter(w.ctx, found.ID))
	if joined := wait[*events.NewsletterJoin](b, 0, nil); joined.ID != made.ID {
		t.Errorf("joined %+v", joined)
	}
	sent, err := ada.SendText(w.ctx, made.ID.String(), "Rain")
	must(t, err)
	got := wait(b, 0, hasText("Rain"))
	if got.Info.Chat != made.ID || got.Info.ID != sent.ID || got.Info.ServerID != 100 {
		t.Errorf("got %+v", got.Info)
	}
	wait(a, 0, hasText("Rain")) // the owner's other devices have it as well
	if _, err := bob.SendText(w.ctx, made.ID.String(), "Sun"); err == nil {
		t.Error("whoever follows a channel writes in it")
	}
	must(t, b.NewsletterToggleMute(w.ctx, made.ID, true))
	if m := wait[*events.NewsletterMuteChange](b, 0, nil); m.Mute != types.NewsletterMuteOn {
		t.Errorf("muted %+v", m)
	}
	if err := a.UnfollowNewsletter(w.ctx, made.ID); err == nil {
		t.Error("its owner leaves a channel")
	}
	must(t, w.phones.Close())
	must(t, w.Network.Close())

	again := newWorldIn(t, dir, phonesDir, w.Addr())
	bob, err = again.phones.Phone(bob.Number())
	must(t, err)
	all, err := bob.Channels(again.ctx)
	must(t, err)
	if len(all) != 1 || all[0].Name != "Weather" || all[0].Followers != 1 || !all[0].Muted {
		t.Errorf("after a restart there are %+v", all)
	}
	must(t, bob.FollowChannel(again.ctx, made.ID.String(), false))
	wait[*events.NewsletterLeave](b, 0, nil)
}

// A call rings on all devices of one side, and what becomes of it is told to all of both.
func TestCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada, bob := w.phone("Ada"), w.phone("Bob")
	a, b := w.pair(ada), w.pair(bob)
	call, err := bob.Call(w.ctx, ada.Number())
	must(t, err)
	offer := wait[*events.CallOffer](a, 0, nil)
	if offer.CallID != call.ID || offer.CallCreator.Server != types.HiddenUserServer || offer.CallCreatorAlt.User != bob.Number() {
		t.Errorf("offered %+v", offer.BasicCallMeta)
	}
	must(t, a.RejectCall(w.ctx, offer.CallCreator, call.ID))
	if r := wait[*events.CallReject](b, 0, nil); r.CallID != call.ID {
		t.Errorf("rejected %+v", r)
	}
	is := func(state string) func(phone.View) bool {
		return func(v phone.View) bool {
			return slices.ContainsFunc(v.Calls, func(c phone.Call) bool { return c.ID == call.ID && c.State == state })
		}
	}
	for _, p := range []*phone.Phone{ada, bob} {
		for v := (phone.View{Version: -1}); !is("rejected")(v); {
			if v, err = p.View(w.ctx, v.Version); err != nil || w.ctx.Err() != nil {
				t.Fatalf("%s sees %+v, %v", p.Name(), v, err)
			}
		}
	}
	if err := bob.EndCall(w.ctx, call.ID); err == nil {
		t.Error("a call that is over is ended once more")
	}

	call, err = bob.Call(w.ctx, ada.Number())
	must(t, err)
	must(t, bob.EndCall(w.ctx, call.ID))
	wait(a, 0, func(e *events.CallTerminate) bool { return e.CallID == call.ID })
	if _, err := bob.Call(w.ctx, number()); err == nil {
		t.Error("nobody is called")
	}
}
