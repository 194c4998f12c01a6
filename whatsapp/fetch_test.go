//go:build !race

package whatsapp

import (
	"os"
	"testing"

	"switchboard/messages"
	"switchboard/settings"
	"switchboard/whatsapp/simulator/phone"
)

// pictured returns a session to which a picture was sent that is still with WhatsApp.
func pictured(t *testing.T) (*place, *Session, messages.File) {
	t.Helper()
	p, s, owner, _ := subscribed(t, settings.Settings{Media: settings.Media{NoDownload: true}})
	if _, err := newPhone(t, "Friend").SendFile(within(t), owner.Number(), phone.File{Kind: phone.Image, MIME: "image/png", Caption: "a picture", Data: []byte("png")}); err != nil {
		t.Fatal(err)
	}
	return p, s, file(p.one("the picture", func(m messages.Message) bool { return m.Text == "a picture" }))
}

func (p *place) inFolder() (names []string) {
	p.t.Helper()
	entries, err := os.ReadDir(p.media)
	if err != nil && !os.IsNotExist(err) {
		p.t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// A message may arrive while somebody who asks for its file has just not found it: there is
// one name for the file, not a second one under which it would lie there for ever.
func TestAFileHasOneName(t *testing.T) {
	t.Parallel()
	_, s, known := pictured(t)
	got, err := s.recallMedia(within(t), known.Chat, known.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got.File != known.File {
		t.Errorf("it is called %s, and %s, too", known.File, got.File)
	}
}
