package messages_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"switchboard/messages"
)

// A file moves from the folder to a bucket once, waits while it cannot, and is deleted where
// it lies when it is not kept any longer, whenever that place answers.
func testPlaces(t *testing.T, open opener) {
	t.Parallel()
	m, _ := open(t)
	now := time.Unix(1_700_000_000, 0)
	for i := range 3 {
		msg := incoming(fmt.Sprint(i), "")
		msg.Kind = messages.Image
		msg.Media = &messages.Media{Type: messages.ImageFile, File: fmt.Sprint("f", i), State: messages.Stored, Size: 10, StoredAt: now.Add(time.Duration(i) * time.Minute)}
		save(t, m, msg)
	}
	due, _, err := m.MediaHere(t.Context(), now)
	must(t, err)
	if due == nil {
		t.Fatal("nothing is due")
	}
	must(t, m.PutOffMedia(t.Context(), "f0", "no answer", now.Add(time.Minute)))
	must(t, m.PutOffMedia(t.Context(), "f1", "no answer", now.Add(2*time.Minute)))
	if due, _, err = m.MediaHere(t.Context(), now); err != nil || due == nil || due.File != "f2" {
		t.Errorf("due is %+v, %v", due, err)
	}
	if b, err := m.MediaBacklog(t.Context()); err != nil || b != (messages.Backlog{Files: 3, Bytes: 30, Since: now, Error: "no answer"}) {
		t.Errorf("waiting are %+v, %v", b, err)
	}
	for range 2 {
		_, err := m.MoveMedia(t.Context(), "f2", "bucket")
		must(t, err)
	}
	kept, err := m.MoveMedia(t.Context(), "f0", "bucket")
	must(t, err)
	if !kept {
		t.Error("f0 was not to be kept")
	}
	due, next, err := m.MediaHere(t.Context(), now)
	must(t, err)
	if due != nil || !next.Equal(now.Add(2*time.Minute)) {
		t.Errorf("due is %+v, next %v", due, next)
	}
	if here, all, err := m.StoredMedia(t.Context()); here != 10 || all != 30 || err != nil {
		t.Errorf("%d of %d bytes are here, %v", here, all, err)
	}
	must(t, m.HurryMedia(t.Context()))
	if due, _, err = m.MediaHere(t.Context(), now); err != nil || due == nil || due.File != "f1" {
		t.Errorf("due is %+v, %v", due, err)
	}

	for _, file := range []string{"f0", "f1"} {
		f, err := m.MediaNamed(t.Context(), file)
		must(t, err)
		must(t, m.DropMedia(t.Context(), f))
	}
	if kept, err = m.MoveMedia(t.Context(), "f1", "bucket"); kept || err != nil {
		t.Errorf("what was dropped is kept, %v", err)
	}
	discarded := func(fails bool) (all []string) {
		must(t, m.EachDiscarded(t.Context(), func(file, place string) error {
			all = append(all, place+"/"+file)
			if fails && place != "" {
				return errors.New("no answer")
			}
			return nil
		}))
		slices.Sort(all)
		return all
	}
	for i, want := range [][]string{{"/f1", "bucket/f0"}, {"bucket/f0"}, {}} {
		if got := discarded(i == 0); !slices.Equal(got, want) {
			t.Errorf("discarded are %q, want %q", got, want)
		}
	}
	// What was fetched again in the meantime is not deleted.
	f, err := m.MediaNamed(t.Context(), "f2")
	must(t, err)
	must(t, m.DropMedia(t.Context(), f))
	f.State, f.Place = messages.Stored, "bucket"
	_, err = m.SetMedia(t.Context(), f)
	must(t, err)
	if got := discarded(false); len(got) != 0 {
		t.Errorf("discarded are %q", got)
	}
}
