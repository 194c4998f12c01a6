package messages_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"switchboard/messages"
)

// Old messages go with everything that is theirs, and nothing else does: not what is newer,
// not what is being sent, and no event that waits for delivery.
func testForgetting(t *testing.T, open opener) {
	t.Parallel()
	m, b, events := boxed(t, open)
	old, now := time.Unix(1_600_000_000, 0), time.Unix(1_700_000_000, 0)
	for i := range 700 { // more than one round
		msg := incoming(fmt.Sprint("old", i), "old words")
		msg.At = old
		if i == 0 {
			msg.Kind, msg.Media = messages.Image, &messages.Media{Type: messages.ImageFile, File: "old.png", State: messages.Stored}
		}
		must(t, m.Save(t.Context(), msg, event(t, "message")))
	}
	queued := outgoing("queued", "on its way")
	queued.At = old
	save(t, m, queued, incoming("new", "new words"), about("r", "old0", messages.Reaction, "👍", ann, -100_000_000), about("e", "old1", messages.Edited, "old words again", ann, -100_000_000))
	must(t, m.Receive(t.Context(), messages.Receipt{Chat: ann, Person: ann, IDs: []string{"old2"}, Step: messages.ReadIt, At: old, Whole: true}))
	total, files := 0, []string{}
	for {
		n, err := m.Forget(t.Context(), now.Add(-time.Second))
		must(t, err)
		if total += n; n == 0 {
			break
		}
	}
	must(t, m.EachDiscarded(t.Context(), func(file, place string) error { files = append(files, file+place); return nil }))
	must(t, m.EachDiscarded(t.Context(), func(file, _ string) error { t.Errorf("%s comes again", file); return nil }))
	if total != 702 || !slices.Equal(files, []string{"old.png"}) {
		t.Errorf("%d messages and the files %q were deleted", total, files)
	}
	if got := texts(latest(t, m)); !slices.Equal(got, []string{"new:new words", "queued:on its way"}) {
		t.Errorf("left are %q", got)
	}
	if found, err := m.Search(t.Context(), "words", 10); err != nil || len(found) != 1 {
		t.Errorf("found %q, %v", texts(found), err)
	}
	if n := len(events()); n != 700 {
		t.Errorf("%d events are left", n)
	}
	for _, check := range []func() (int, error){
		func() (int, error) { return len(earlier(t, b.db, "old1")), nil },
		func() (int, error) { _, n, err := m.StoredMedia(t.Context()); return int(n), err },
	} {
		if n, err := check(); n != 0 || err != nil {
			t.Errorf("%d are left, %v", n, err)
		}
	}
}
