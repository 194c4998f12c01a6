//go:build !race

package simulator_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
)

func TestPresenceAndTyping(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada, bob := w.phone("Ada"), w.phone("Bob")
	a, b := w.pair(ada), w.pair(bob)
	eventually(t, "the push names have arrived", func() bool { return a.Store.PushName != "" && b.Store.PushName != "" })
	must(t, b.SendPresence(w.ctx, types.PresenceUnavailable))
	must(t, bob.SetAvailable(w.ctx, false))
	must(t, a.SubscribePresence(w.ctx, pn(bob.Number())))
	wait(a, 0, func(p *events.Presence) bool { return p.From == pn(bob.Number()) && p.Unavailable })
	mark := a.mark()
	must(t, b.SendPresence(w.ctx, types.PresenceAvailable))
	wait(a, mark, func(p *events.Presence) bool { return !p.Unavailable })
	must(t, b.SendChatPresence(w.ctx, pn(ada.Number()), types.ChatPresenceComposing, types.ChatPresenceMediaText))
	typing := wait(a, mark, func(p *events.ChatPresence) bool { return p.State == types.ChatPresenceComposing })
	if typing.Chat != pn(bob.Number()) {
		t.Errorf("typing: %+v", typing)
	}
	mark = a.mark()
	b.Disconnect()
	gone := wait(a, mark, func(p *events.Presence) bool { return p.Unavailable })
	if time.Since(gone.LastSeen) > time.Minute {
		t.Errorf("last seen %v", gone.LastSeen)
	}
}

func TestMedia(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada, bob := w.phone("Ada"), w.phone("Bob")
	a, b := w.pair(ada), w.pair(bob)
	picture := bytes.Repeat([]byte("picture "), 50_000)
	up, err := a.Upload(w.ctx, picture, whatsmeow.MediaImage)
	must(t, err)
	_, err = a.SendMessage(w.ctx, pn(bob.Number()), &waE2E.Message{ImageMessage: &waE2E.ImageMessage{
		URL: &up.URL, DirectPath: &up.DirectPath, MediaKey: up.MediaKey, FileEncSHA256: up.FileEncSHA256, FileSHA256: up.FileSHA256,
		FileLength: &up.FileLength, Mimetype: proto.String("image/jpeg"),
	}})
	must(t, err)
	m := wait(b, 0, func(m *events.Message) bool { return m.Message.GetImageMessage() != nil })
	got, err := b.Download(w.ctx, m.Message.GetImageMessage())
	if err != nil || !bytes.Equal(got, picture) {
		t.Errorf("downloaded %d bytes, %v", len(got), err)
	}
	must(t, a.DeleteMedia(w.ctx, whatsmeow.MediaImage, up.DirectPath, up.FileEncSHA256, up.Handle))
	if _, err := b.Download(w.ctx, m.Message.GetImageMessage()); !errors.Is(err, whatsmeow.ErrMediaDownloadFailedWith404) {
		t.Errorf("after deletion: %v", err)
	}
	web := &http.Client{Transport: tcp(w.Addr())}
	for name, want := range map[string]int{
		"/mms/image/" + "..%2f..%2fnetwork.db?auth=x": http.StatusUnauthorized,
		"/mms/image/aaaa?auth=wrong":                  http.StatusUnauthorized,
	} {
		resp, err := web.Post("https://mmg.whatsapp.net"+name, "", bytes.NewReader(picture))
		must(t, err)
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %s", name, resp.Status)
		}
	}
	resp, err := web.Get("https://mmg.whatsapp.net/v/media/..%2fnetwork.db?x")
	must(t, err)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("a file outside of the media: %s", resp.Status)
	}
}

func TestAppState(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada, bob := w.phone("Ada"), w.phone("Bob")
	a, other := w.pair(ada), w.pair(ada)
	for _, c := range []*client{a, other} {
		for _, name := range appstate.AllPatchNames {
			wait(c, 0, func(e *events.AppStateSyncComplete) bool { return e.Name == name })
		}
	}
	must(t, a.SendAppState(w.ctx, appstate.BuildMute(pn(bob.Number()), true, time.Hour)))
	if muted := wait(other, 0, func(e *events.Mute) bool { return e.JID == pn(bob.Number()) }); !muted.Action.GetMuted() {
		t.Errorf("muted: %+v", muted)
	}
	must(t, other.SendAppState(w.ctx, appstate.BuildPin(pn(ada.Number()), true)))
	wait(a, 0, func(e *events.Pin) bool { return e.JID == pn(ada.Number()) })
}

func TestAskingAboutPeople(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada, bob := w.phone("Ada"), w.phone("Bob")
	a, b := w.pair(ada), w.pair(bob)
	answers, err := a.IsOnWhatsApp(w.ctx, []string{"+" + bob.Number(), "+4930123456"})
	must(t, err)
	if len(answers) != 2 || !answers[0].IsIn || answers[0].PhoneNumber != pn(bob.Number()) || answers[0].Query != "+"+bob.Number() || answers[1].IsIn {
		t.Errorf("answers: %+v", answers)
	}

	must(t, b.SetStatusMessage(w.ctx, types.SetStatusInput{Text: proto.String("singing")}))
	picture := append([]byte{0xff, 0xd8, 0xff}, "a picture"...)
	id, err := b.SetGroupPhoto(w.ctx, types.EmptyJID, picture)
	must(t, err)
	info, err := a.GetUserInfo(w.ctx, []types.JID{pn(bob.Number())})
	must(t, err)
	if got := info[pn(bob.Number())]; got.Status != "singing" || got.PictureID != id || got.LID.User != b.Store.LID.User || len(got.Devices) != 2 {
		t.Errorf("about Bob: %+v", got)
	}
	shown, err := a.GetProfilePictureInfo(w.ctx, pn(bob.Number()), nil)
	must(t, err)
	resp, err := (&http.Client{Transport: tcp(w.Addr())}).Get(shown.URL)
	must(t, err)
	got, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if !bytes.Equal(got, picture) {
		t.Errorf("picture: %q", got)
	}
	if same, err := a.GetProfilePictureInfo(w.ctx, pn(bob.Number()), &whatsmeow.GetProfilePictureParams{ExistingID: id}); same != nil || err != nil {
		t.Errorf("unchanged picture: %+v, %v", same, err)
	}
	if _, err := b.SetGroupPhoto(w.ctx, types.EmptyJID, []byte("no picture")); !errors.Is(err, whatsmeow.ErrInvalidImageFormat) {
		t.Errorf("not a picture: %v", err)
	}

	settings, err := b.SetPrivacySetting(w.ctx, types.PrivacySettingTypeProfile, types.PrivacySettingNone)
	if err != nil || settings.Profile != types.PrivacySettingNone {
		t.Errorf("settings: %+v, %v", settings, err)
	}
	if _, err := a.GetProfilePictureInfo(w.ctx, pn(bob.Number()), nil); !errors.Is(err, whatsmeow.ErrProfilePictureUnauthorized) {
		t.Errorf("hidden picture: %v", err)
	}
	if _, err := a.GetProfilePictureInfo(w.ctx, pn(ada.Number()), nil); !errors.Is(err, whatsmeow.ErrProfilePictureNotSet) {
		t.Errorf("no picture: %v", err)
	}
}

func TestBlocking(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada, bob := w.phone("Ada"), w.phone("Bob")
	a, b := w.pair(ada), w.pair(bob)
	list, err := b.UpdateBlocklist(w.ctx, pn(ada.Number()), events.BlocklistChangeActionBlock)
	must(t, err)
	if len(list.JIDs) != 1 || list.JIDs[0].User != a.Store.LID.User {
		t.Errorf("blocked: %+v", list)
	}
	a.send(w.ctx, pn(bob.Number()), "unheard")
	_, err = b.UpdateBlocklist(w.ctx, pn(ada.Number()), events.BlocklistChangeActionUnblock)
	must(t, err)
	a.send(w.ctx, pn(bob.Number()), "heard")
	wait(b, 0, hasText("heard"))
	if slices.Contains(b.texts(), "unheard") {
		t.Error("a blocked contact was heard")
	}
	if list, err = b.GetBlocklist(w.ctx); err != nil || len(list.JIDs) != 0 {
		t.Errorf("blocked afterwards: %+v, %v", list, err)
	}
}
