package gowa

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/sending"
	"switchboard/whatsapp"
)

// patience is how long whoever sends waits for a message whose turn has not come, until he
// is told that it waits. Clients have a patience of their own, of 30 s and more.
const patience = 10 * time.Second

// keyOf returns a request's Idempotency-Key, "" without one.
func keyOf(r *http.Request) (string, error) {
	key := r.Header.Get("Idempotency-Key")
	if len(key) > 200 || strings.IndexFunc(key, func(c rune) bool { return c < ' ' || c > '~' }) >= 0 {
		return "", fault.InField("Idempotency-Key", "An Idempotency-Key has 200 characters at most, all of them printable ASCII.")
	}
	return key, nil
}

// queued says whether what an operation sends can wait for its time and turn: messages, and
// nothing that belongs to this moment.
func (r route) queued() bool {
	switch r.path {
	case "/send/presence", "/send/chat-presence":
		return false
	case "/message/{message_id}/forward":
		return true
	}
	return strings.HasPrefix(r.path, "/send/")
}

// once does a request that comes with an Idempotency-Key, that is to be done later, or that
// has to wait for its turn. ok is false for every other.
func (a *API) once(route route, in *request) (answer outcome, ok bool, err error) {
	if a.o.Sends == nil || in.Method != http.MethodPost {
		return outcome{}, false, nil
	}
	key, err := keyOf(in.Request)
	if err != nil {
		return outcome{}, true, err
	}
	later := time.Time{}
	if route.queued() {
		if later = in.moment("send_at"); len(in.wrong) > 0 {
			return outcome{}, true, in.err()
		}
	}
	wait := route.queued() && (!later.IsZero() || a.o.Sends.Paced())
	if key == "" && !wait {
		return outcome{}, false, nil
	}
	s := sending.Send{Key: key, Path: route.path, Due: later}
	if s.Hash, err = in.hash(route); err != nil {
		return outcome{}, true, err
	}
	replayed := false
	if wait {
		s, err = a.queue(route, in, s)
	} else {
		s, replayed, err = a.o.Sends.Once(in.Context(), s, func(ctx context.Context, s sending.Send) sending.Answer {
			in.Request = in.WithContext(whatsapp.WithMessageID(ctx, s.MessageID))
			return a.do(route, in).answer()
		})
	}
	if errors.Is(err, sending.ErrReused) {
		err = withCode(http.StatusUnprocessableEntity, "IDEMPOTENCY_KEY_REUSED", err)
	}
	if err != nil {
		return outcome{}, true, err
	}
	return told(s, replayed), true, nil
}

// told is what a client hears of a send.
func told(s sending.Send, replayed bool) outcome {
	switch {
	case s.Answer.Status != 0:
		return outcome{status: s.Answer.Status, body: s.Answer.Body, replayed: replayed}
	case s.State == sending.Cancelled, s.State == sending.Failed:
		return outcome{status: http.StatusConflict, Envelope: Envelope{Code: "CONFLICT", Message: "This message was not sent. " + s.Reason}}
	}
	text := "Message queued, to be sent as soon as the number's pace allows"
	if s.Due.After(time.Now()) {
		text = "Message queued, to be sent at " + stamp(s.Due)
	}
	return outcome{status: http.StatusAccepted, Envelope: Envelope{Code: "SUCCESS", Message: text, Results: queuedSend{sent{s.MessageID, text}, s.ID}}}
}

// queuedSend is what a send results in that has not gone out yet.
type queuedSend struct {
	sent
	QueueID string `json:"queue_id"`
}

// queue puts a request into the queue, after a look whether it can be sent at all, and waits
// a moment: with a little luck it is sent before whoever asked loses patience.
func (a *API) queue(route route, in *request, s sending.Send) (sending.Send, error) {
	s.Chat = in.address("phone")
	if err := in.err(); err != nil {
		return s, err
	}
	err := a.check(route, in)
	if err != nil {
		return s, err
	}
	if s.Parameters, err = json.Marshal(in.values); err != nil {
		return s, internal(err)
	}
	uploads := map[string]sending.Upload{}
	for name, f := range in.files {
		uploads[name] = sending.Upload{File: sending.File{Name: f.name, Media: f.media, Size: f.size}, From: f}
	}
	ctx := context.WithoutCancel(in.Context()) // what is put is put, whether or not the client waits
	if s, err = a.o.Sends.Put(ctx, s, uploads); err != nil {
		return s, err
	}
	if s.Due.After(time.Now()) { // whoever wants it later waits for nothing now
		return s, nil
	}
	ctx, cancel := context.WithTimeout(in.Context(), patience)
	defer cancel()
	return a.o.Sends.Await(ctx, s.ID)
}

// check does everything that an operation does but sending, so that what is wrong with a
// message is said at once and not when its time has come. What is to be fetched is not.
func (a *API) check(route route, in *request) error {
	for name := range route.files {
		if in.text(name+"_url") != "" {
			return nil
		}
	}
	ctx, cancel := context.WithCancel(in.Context())
	defer cancel()
	if route.path == "/send/link" {
		cancel() // no preview is needed yet
	}
	try := *in
	try.Request, try.wrong = in.WithContext(ctx), nil
	o := a.o
	o.Number = rehearsal{o.Number}
	_, _, err := route.do(&API{o: o}, &try)
	if errors.Is(err, errRehearsed) {
		err = nil
	}
	for _, f := range in.files {
		if _, failed := f.Seek(0, io.SeekStart); failed != nil {
			err = errors.Join(err, internal(failed))
		}
	}
	return err
}

// rehearsal is a number that sends nothing.
type rehearsal struct{ Number }

var errRehearsed = errors.New("nothing is sent in a rehearsal")

func (rehearsal) Send(context.Context, string, whatsapp.Content, whatsapp.Extras) (instances.Sent, error) {
	return instances.Sent{}, errRehearsed
}

func (rehearsal) Forward(context.Context, string, string, bool, whatsapp.Extras) (instances.Sent, error) {
	return instances.Sent{}, errRehearsed
}

// hash tells requests apart by what they ask for, however it is written: a form's boundary
// is another one each time.
func (r *request) hash(route route) (string, error) {
	sum := sha256.New()
	parameters, err := json.Marshal(r.values) // sorted by name
	if err != nil {
		return "", internal(err)
	}
	_, _ = sum.Write([]byte(route.path + "\n"))
	_, _ = sum.Write(parameters)
	for name := range route.files {
		f := r.files[name]
		if f == nil {
			continue
		}
		_, _ = sum.Write([]byte("\n" + name + "\n"))
		if _, err := io.Copy(sum, f); err != nil {
			return "", internal(err)
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return "", internal(err)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// longest is how long something from the queue may take: nobody waits for it, and what is to
// be fetched and uploaded may be large.
const longest = 5 * time.Minute

// Do does what waited in the queue.
func (a *API) Do(ctx context.Context, s sending.Send) sending.Answer {
	ctx, cancel := context.WithTimeout(whatsapp.WithMessageID(ctx, s.MessageID), longest)
	defer cancel()
	in := &request{files: map[string]*upload{}, region: *a.region.Load()}
	defer in.forget()
	var err error
	if in.Request, err = http.NewRequestWithContext(ctx, http.MethodPost, "/", http.NoBody); err == nil {
		err = in.restore(a.o.Sends, s)
	}
	if err != nil {
		return a.failed("queue", internal(err)).answer()
	}
	for _, route := range routes() {
		if route.method == http.MethodPost && route.path == s.Path {
			return a.do(route, in).answer()
		}
	}
	return a.failed("queue", fault.New(fault.NotFound, "This version of Switchboard cannot send this any more.")).answer()
}

// restore fills in what a send was asked with.
func (r *request) restore(queue *sending.Queue, s sending.Send) error {
	decoder := json.NewDecoder(strings.NewReader(string(s.Parameters)))
	decoder.UseNumber()
	if err := decoder.Decode(&r.values); err != nil {
		return err
	}
	r.body = s.Parameters
	for name, f := range s.Files {
		file, err := queue.Open(f)
		if err != nil {
			return err
		}
		r.files[name] = &upload{File: file, name: f.Name, media: f.Media, size: f.Size}
	}
	return nil
}
