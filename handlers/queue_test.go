package handlers

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"switchboard/auth"
	"switchboard/instances"
	"switchboard/sending"
)

// fakeQueue is what every number is to send.
type fakeQueue []sending.Send

func (q fakeQueue) Waiting(context.Context, instances.ID, int) ([]sending.Send, error) { return q, nil }

func TestQueuePage(t *testing.T) {
	t.Parallel()
	asked := ""
	way := &workers{t: t, answer: func(w http.ResponseWriter, r *http.Request) { asked = r.Method + " " + r.URL.Path }}
	queue := fakeQueue{
		{ID: "a-1", Path: "/send/message", Chat: "491700000002@s.whatsapp.net", State: sending.Waiting, Due: time.Now().Add(time.Hour), Parameters: []byte(`{"message":"a secret"}`)},
		{ID: "a-2", Path: "/send/image", Chat: "1203@g.us", State: sending.Waiting, Due: time.Now().Add(-time.Hour), Reason: "Not connected."},
		{ID: "a-3", Path: "/message/{message_id}/forward", Chat: "1203@g.us", State: sending.Working, Due: time.Now()},
	}
	s := newSite(t, func(o *Options) { o.Workers, o.Queue = way, queue })
	b := s.signedIn(auth.Operator)
	s.numbers.set(connected(s.owner))
	got := b.get(page + "/queue")
	got.has(t, "Text to +49 170 0000002", "Waits until", "Image to Group 1203", "Not connected.", "Message to Group 1203", "Being sent now", "/queue/a-2/cancel")
	got.lacks(t, "a secret", "/queue/a-3/cancel")
	if got := b.post(page + "/queue/a-1/cancel"); got.code != http.StatusSeeOther || asked != "DELETE /queue/a-1" {
		t.Errorf("taken back: %d, asked was %s", got.code, asked)
	}
	b.get(page+"/queue").has(t, "It was taken back.")
	way.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(w, `{"code":"CONFLICT","message":"This message waits no more."}`)
	}
	if got := b.post(page + "/queue/a-1/cancel"); got.code != http.StatusConflict {
		t.Errorf("too late: %d", got.code)
	} else {
		got.has(t, "This message waits no more.")
	}
	way.answer = nil
	if got := b.post(page + "/queue/a-1/cancel"); got.code != http.StatusConflict {
		t.Errorf("a stopped number: %d", got.code)
	}
}
