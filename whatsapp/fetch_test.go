//go:build !race

package whatsapp

import (
	"os"
	"slices"
	"testing"

	"switchboard/fault"
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

// Whoever read that a file is to be fetched before somebody else had fetched it does not fetch
// it over: it may be on its way to a bucket.
func TestAFileIsFetchedOnce(t *testing.T) {
	t.Parallel()
	p, s, before := pictured(t)
	first, err := s.fetchOne(within(t), before, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(s.mediaPath(first)); err != nil { // would be there again
		t.Fatal(err)
	}
	second, err := s.fetchOne(within(t), before, true)
	if err != nil || second.State != messages.Stored {
		t.Errorf("got %+v, %v", second, err)
	}
	if left := p.inFolder(); len(left) != 0 {
		t.Error("it was fetched once more")
	}
	// Whoever knows that it was, and misses it, has it fetched.
	if _, err := s.fetchOne(within(t), second, true); err != nil || len(p.inFolder()) != 1 {
		t.Errorf("got %q, %v", p.inFolder(), err)
	}
}

// A file of which the message is deleted while it is fetched is not left over.
func TestAFileOfADeletedMessage(t *testing.T) {
	t.Parallel()
	p, s, f := pictured(t)
	tx, err := p.main.BeginTx(within(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.Exec(`DELETE FROM "media"`); err != nil { // from here on nobody else writes
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := s.fetchOne(within(t), f, true)
		ended <- err
	}()
	eventually(t, "the file is here", func() bool { return slices.Equal(p.inFolder(), []string{f.File}) })
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; fault.KindOf(err) != fault.NotFound {
		t.Errorf("got %v", err)
	}
	if left := p.inFolder(); len(left) != 0 {
		t.Errorf("left over are %q", left)
	}
}
