package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/webhooks"
)

const (
	lookAround  = 5 * time.Second  // between looks at what the token may still see
	streamBeat  = 15 * time.Second // between comments, so that a dead line is noticed
	streamWrite = 10 * time.Second // a client that takes longer is cut off, and may come again
	mostStreams = 100
)

// Events streams what happens to a number, from an event on; the supervisor does it.
type Events interface {
	Events(ctx context.Context, v instances.Viewer, id instances.ID, after string, tell func(json.RawMessage) error) error
}

// streamEvents sends the events of all numbers that the token sees as server-sent events,
// until the client goes. Last-Event-ID brings those that came since.
func (s *server) streamEvents(w http.ResponseWriter, r *http.Request) error {
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		return fault.New(fault.Throttled, "There are too many streams open. Close one, or try again later.")
	}
	q := r.URL.Query()
	st := &stream{server: s, r: r, only: q["instance"], events: q["event"], following: map[instances.ID]context.CancelFunc{}, came: make(chan step)}
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		last = q.Get("last_event_id") // for clients that cannot set headers
	}
	if st.places = parsePlaces(last); st.places.event == "" {
		// A number that starts in a moment begins here, too.
		st.places.event = webhooks.Since(time.Now())
	}
	st.resumed, st.places.behind = st.places, map[instances.ID]string{}
	for _, id := range st.only {
		if _, err := s.Instances.Get(viewer(r), instances.ID(id)); err != nil {
			return err
		}
	}
	st.out, st.rc = w, http.NewResponseController(w)
	_ = st.rc.SetReadDeadline(time.Time{}) // the request has been read, and the stream outlives its limit
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // of nginx
	st.run()
	return nil
}

// stream is one client's. Nothing waits in it: a follower reads the next event when the
// client has taken the one before.
type stream struct {
	*server
	r            *http.Request
	out          http.ResponseWriter
	rc           *http.ResponseController
	only, events []string

	following map[instances.ID]context.CancelFunc
	resumed   places // where the client left off
	places    places // where it is now; only run changes it
	came      chan step
}

// step is what a follower has come to: an event, or "" and the place alone.
type step struct {
	number instances.ID
	webhooks.Told
	place string
}

func (st *stream) run() {
	ctx, cancel := context.WithCancel(st.r.Context())
	defer cancel()
	if st.write("retry: 2000\n: these are the events from now on\n\n") != nil {
		return
	}
	st.follow(ctx)
	look, beat := time.NewTicker(lookAround), time.NewTicker(streamBeat)
	defer look.Stop()
	defer beat.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-st.Closing:
			return
		case <-look.C:
			if err = st.again(); err == nil {
				st.follow(ctx)
			}
		case <-beat.C:
			err = st.write(": still there\n\n")
		case e := <-st.came:
			err = st.take(e)
		}
		if err != nil {
			return
		}
	}
}

// take passes on an event, and notes how far its number has come.
func (st *stream) take(e step) error {
	if st.following[e.number] == nil {
		return nil
	}
	if e.End {
		delete(st.places.behind, e.number)
	} else {
		st.places.behind[e.number] = e.place
	}
	if e.ID == "" || !st.wants(e.Told) {
		return nil
	}
	return st.write(fmt.Sprintf("id: %s\nevent: %s\ndata: %s\n\n", st.places.after(e.number, e.ID), e.Name, e.Body))
}

func (st *stream) write(text string) error {
	if err := st.rc.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
		return err
	}
	if _, err := st.out.Write([]byte(text)); err != nil {
		return err
	}
	return st.rc.Flush()
}

// again finds out what the token may see by now, if it is still good.
func (st *stream) again() error {
	secret, _ := bearer(st.r)
	u, _, err := st.Auth.ByToken(st.r.Context(), secret)
	if err == nil {
		err = u.Need(needs(st.r))
	}
	if err != nil {
		return err
	}
	st.r = st.r.WithContext(context.WithValue(st.r.Context(), contextKey{}, u))
	return nil
}

// follow begins to follow numbers that came, and ends to follow those that went.
func (st *stream) follow(ctx context.Context) {
	v := viewer(st.r)
	seen := map[instances.ID]bool{}
	for _, i := range st.Instances.List(v) {
		if len(st.only) > 0 && !slices.Contains(st.only, string(i.ID)) {
			continue
		}
		seen[i.ID] = true
		if st.following[i.ID] == nil {
			one, cancel := context.WithCancel(ctx)
			st.following[i.ID] = cancel
			place := st.resumed.of(i.ID)
			if mayLack(i, place) {
				st.places.behind[i.ID] = place
			}
			go st.followOne(one, v, i.ID, place)
		}
	}
	for id, cancel := range st.following {
		if !seen[id] {
			cancel()
			delete(st.following, id)
			delete(st.places.behind, id)
		}
	}
}

// followOne passes on the events of a number, over restarts of its worker, until ctx ends.
func (st *stream) followOne(ctx context.Context, v instances.Viewer, id instances.ID, place string) {
	come := func(e webhooks.Told) error {
		select {
		case st.came <- step{id, e, place}:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for ctx.Err() == nil {
		begun := false
		_ = st.Instances.Events(ctx, v, id, place, func(line json.RawMessage) error {
			if line == nil {
				return ctx.Err()
			}
			var e webhooks.Told
			if err := json.Unmarshal(line, &e); err != nil {
				return err
			}
			begun, place = true, webhooks.At(e.Seq)
			return come(e)
		})
		if begun && come(webhooks.Told{}) != nil { // what it stores from now on is not known
			return
		}
		select { // a number that does not run has no events
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

func (st *stream) wants(e webhooks.Told) bool {
	return len(st.events) == 0 || slices.ContainsFunc(st.events, func(pattern string) bool { return webhooks.Covers(pattern, e.Name) })
}
