//go:build !race

package whatsapp

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"switchboard/messages"
	"switchboard/settings"
)

// Each rule deletes what it is about, the oldest first, and leaves the rest.
func TestRetention(t *testing.T) {
	t.Parallel()
	now := time.Now().Truncate(time.Second)
	for name, test := range map[string]struct {
		keep           settings.Retention
		left, leftFile []string
	}{
		"everything": {settings.Retention{}, []string{"0", "1", "2", "3"}, []string{"0", "1", "2", "3"}},
		"days":       {settings.Retention{Days: 2}, []string{"0", "1"}, []string{"0", "1"}},
		"media days": {settings.Retention{MediaDays: 1}, []string{"0", "1", "2", "3"}, []string{"0"}},
		"size":       {settings.Retention{MaxBytes: 1_000_000 + 4*2500}, []string{"0", "1", "2", "3"}, []string{"0"}},
		"little":     {settings.Retention{MaxBytes: 1}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.media = t.TempDir()
			s := &Session{messages: p.messages, fetch: newFetcher(p.media, nil), log: testLog(t.Name())}
			s.set.Store(&settings.Settings{Retention: test.keep})
			for day := range 4 {
				id := fmt.Sprint(day)
				err := p.messages.Save(within(t), messages.Message{
					Chat: "1@s.whatsapp.net", ID: id, Sender: "1@s.whatsapp.net", Kind: messages.Image, Text: strings.Repeat("x", 1000), At: now.AddDate(0, 0, -day).Add(-time.Hour),
					Media: &messages.Media{Type: messages.ImageFile, File: id, Size: 1_000_000, State: messages.Stored},
				})
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(p.media, id), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.tidyUp(within(t), now); err != nil {
				t.Fatal(err)
			}
			var left, leftFile []string
			for _, m := range p.all() {
				left = append(left, m.ID)
			}
			slices.Sort(left)
			files, err := os.ReadDir(p.media)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				leftFile = append(leftFile, f.Name())
			}
			if !slices.Equal(left, test.left) || !slices.Equal(leftFile, test.leftFile) {
				t.Errorf("left are messages %q and files %q", left, leftFile)
			}
		})
	}
}

// What is stored decides whether there is an automatic answer.
func TestWhenToKeepQuiet(t *testing.T) {
	t.Parallel()
	const chat, reply = "1@s.whatsapp.net", "We are closed."
	now := time.Now().Truncate(time.Second)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	message := func(id, text string, mine bool, at time.Time) messages.Message {
		m := messages.Message{Chat: chat, ID: id, Sender: chat, FromMe: mine, Kind: messages.Text, Text: text, At: at}
		if mine {
			m.Sender, m.Status = "2@s.whatsapp.net", messages.SentOut
		}
		return m
	}
	asks := message("ask", "hello?", false, now)
	for name, test := range map[string]struct {
		before []messages.Message
		quiet  bool
	}{
		"a stranger":                    {nil, false},
		"answered yesterday":            {[]messages.Message{message("a", reply, true, ago(25*time.Hour))}, false},
		"answered today":                {[]messages.Message{message("a", reply, true, ago(time.Hour))}, true},
		"written to today":              {[]messages.Message{message("a", "see you", true, ago(time.Hour))}, true},
		"a person who took their time":  {[]messages.Message{message("a", reply, true, ago(25*time.Hour)), message("b", "ok", false, ago(25*time.Hour-time.Minute))}, false},
		"a machine":                     {[]messages.Message{message("a", reply, true, ago(25*time.Hour)), message("b", "beep", false, ago(25*time.Hour-time.Second))}, true},
		"a machine that was written to": {[]messages.Message{message("a", "see you", true, ago(25*time.Hour)), message("b", "beep", false, ago(25*time.Hour-time.Second))}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			if err := p.messages.SaveAll(within(t), append(test.before, asks)); err != nil {
				t.Fatal(err)
			}
			why, err := (&Session{messages: p.messages}).keepQuiet(within(t), asks, reply)
			if err != nil || (why != "") != test.quiet {
				t.Errorf("got %q, %v", why, err)
			}
		})
	}
}
