//go:build !race

package whatsapp

import (
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"switchboard/bucket"
	"switchboard/bucket/buckettest"
	"switchboard/egress"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/messages"
	"switchboard/settings"
	"switchboard/whatsapp/simulator/phone"
)

// bucketHere opens buckets on this machine.
func bucketHere(at settings.Bucket) (Bucket, error) {
	return bucket.New(at, egress.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}))
}

// Media go to the bucket and leave the folder; while it does not answer they are kept and
// wait; they are read from where they lie, and deleted there.
func TestMediaGoToABucket(t *testing.T) {
	t.Parallel()
	store := buckettest.New(t)
	in := settings.Settings{Media: settings.Media{Bucket: store.Bucket()}}
	p, s, owner, _ := subscribed(t, settings.Settings{})
	friend := newPhone(t, "Friend")
	send := func(text string) {
		t.Helper()
		_, err := friend.SendFile(within(t), owner.Number(), phone.File{Kind: phone.Image, MIME: "image/png", Caption: text, Data: []byte("png " + text)})
		if err != nil {
			t.Fatal(err)
		}
	}
	at := func(place string) func(messages.Message) bool {
		return func(m messages.Message) bool {
			return m.Media != nil && m.Media.State == messages.Stored && m.Media.Place == place
		}
	}
	where := func(text, place string) messages.Message {
		t.Helper()
		return p.one(text, func(m messages.Message) bool { return m.Text == text && at(place)(m) })
	}
	read := func(m messages.Message) string {
		t.Helper()
		f, err := s.Media(within(t), m.Chat, m.ID)
		if err != nil {
			t.Fatal(err)
		}
		file, err := s.OpenMedia(within(t), f)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		data, err := io.ReadAll(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	place := store.Bucket().Place()

	// What is there already moves, too.
	send("before")
	where("before", "")
	s.Apply(in)
	before := where("before", place)
	send("with")
	with := where("with", place)
	if got := store.Object(with.Media.File); string(got) != "png with" {
		t.Errorf("in the bucket is %q", got)
	}
	if got := read(with); got != "png with" {
		t.Errorf("read %q", got)
	}
	eventually(t, "an empty folder", func() bool { left, _ := os.ReadDir(p.media); return len(left) == 0 })

	// The bucket is away, and comes back after a restart of the number.
	store.Stop()
	send("meanwhile")
	if got := read(where("meanwhile", "")); got != "png meanwhile" {
		t.Errorf("read %q", got)
	}
	eventually(t, "a reason", func() bool {
		b, err := p.messages.MediaBacklog(t.Context())
		return err == nil && b.Files == 1 && b.Error == "The store at "+strings.TrimPrefix(store.Bucket().Endpoint, "http://")+" does not answer."
	})
	if _, err := s.OpenMedia(within(t), file(with)); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("from a bucket that is away: %v", err)
	}
	// What is not to be kept any more is deleted when it is back.
	if err := p.messages.DropMedia(within(t), file(with)); err != nil {
		t.Fatal(err)
	}
	if err := s.deleteDiscarded(within(t)); err != nil {
		t.Fatal(err)
	}
	s.Close()
	store.Start()
	p.settings = in
	s = p.open(quick)
	meanwhile := where("meanwhile", place)
	if got := read(meanwhile); got != "png meanwhile" {
		t.Errorf("read %q", got)
	}
	if store.Object(with.Media.File) == nil {
		t.Error("it was deleted by somebody else")
	}
	s.Apply(settings.Settings{Revision: 1, Media: in.Media, Retention: settings.Retention{MediaDays: 1}})
	eventually(t, "the object gone", func() bool { return store.Object(with.Media.File) == nil })

	// Deleted by others, a file comes from WhatsApp once more.
	b, err := bucketHere(store.Bucket())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Delete(within(t), before.Media.File); err != nil {
		t.Fatal(err)
	}
	untilIs(t, s, instances.Connected, "")
	if got := read(before); got != "png before" {
		t.Errorf("read %q", got)
	}
	where("before", place)

	// Another bucket takes what comes from now on; what lies in this one is still read.
	none := in
	if err := none.Media.SetBucket(settings.Bucket{}); err != nil {
		t.Fatal(err)
	}
	s.Apply(none)
	send("after")
	where("after", "")
	if got := read(meanwhile); got != "png meanwhile" {
		t.Errorf("read %q", got)
	}
	none.Media.Earlier = nil
	s.Apply(none)
	if _, err := s.OpenMedia(within(t), file(meanwhile)); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("without keys: %v", err)
	}
}

// A killed process may have put a file into the bucket without noting it, or noted it without
// removing the file.
func TestPuttingAwayIsFinishedLater(t *testing.T) {
	t.Parallel()
	store := buckettest.New(t)
	p := newPlace(t)
	p.media = t.TempDir()
	p.settings = settings.Settings{Media: settings.Media{Bucket: store.Bucket()}}
	b, err := bucketHere(store.Bucket())
	if err != nil {
		t.Fatal(err)
	}
	for name, place := range map[string]string{"noted": store.Bucket().Place(), "not-noted": "", "lost": ""} {
		err := p.messages.Save(within(t), messages.Message{
			Chat: "1@s.whatsapp.net", ID: name, Sender: "1@s.whatsapp.net", Kind: messages.Image, At: time.Now(),
			Media: &messages.Media{Type: messages.ImageFile, File: name, Size: 3, State: messages.Stored, Place: place},
		})
		if err != nil {
			t.Fatal(err)
		}
		if name == "lost" { // neither here nor there
			continue
		}
		if err := os.WriteFile(filepath.Join(p.media, name), []byte("png"), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(filepath.Join(p.media, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Put(within(t), name, f, ""); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	p.open(quick)
	p.eventually("all in the bucket", func(all []messages.Message) bool {
		return !slices.ContainsFunc(all, func(m messages.Message) bool { return m.Media.Place == "" && m.ID != "lost" })
	})
	p.one("what is lost", func(m messages.Message) bool { return m.ID == "lost" && m.Media.State == messages.Left })
	eventually(t, "an empty folder", func() bool { left, _ := os.ReadDir(p.media); return len(left) == 0 })
}

// Whoever shows a bucket to others serves no page that somebody sent.
func TestTypesOfObjects(t *testing.T) {
	t.Parallel()
	for mime, want := range map[string]string{
		"image/jpeg": "image/jpeg", "audio/ogg; codecs=opus": "audio/ogg", "IMAGE/PNG": "image/png",
		"text/html": "application/octet-stream", "image/svg+xml": "application/octet-stream", "": "application/octet-stream", "a\r\nb: c": "application/octet-stream",
	} {
		if got := objectType(mime); got != want {
			t.Errorf("%q: %q", mime, got)
		}
	}
}

func file(m messages.Message) messages.File {
	return messages.File{Chat: m.Chat, ID: m.ID, Sender: m.Sender, Media: *m.Media}
}

// eventually waits for what gives no signal: a file system or a database.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx := within(t)
	for !is() {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
