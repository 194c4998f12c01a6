package instances

import (
	"context"
	"encoding/json"
	"time"
)

// configureLimit is how long whoever changes settings waits for a worker to take them. One that
// takes longer gets them behind that: its reports tell which it has.
const configureLimit = 5 * time.Second

// Configure brings the present settings to the worker of a number, or to all workers if id is
// "". Those of one number are in force when it returns, unless the worker does not answer; they
// are brought again until it has them.
func (s *Supervisor) Configure(ctx context.Context, id ID) {
	s.mu.RLock()
	var all []*runner
	for of, r := range s.runners {
		if id == "" || of == id {
			all = append(all, r)
		}
	}
	s.mu.RUnlock()
	if id == "" {
		ctx = s.life
	}
	bring := func() {
		for _, r := range all {
			r.configure(ctx)
		}
	}
	if id == "" {
		go bring()
	} else {
		bring()
	}
}

// configure brings the present settings to the worker. It may be called from any goroutine; of
// several at once each brings what is the latest when its turn comes.
func (r *runner) configure(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, configureLimit)
	defer cancel()
	r.configuring.Lock()
	defer r.configuring.Unlock()
	r.mu.RLock()
	w, id := r.asked, r.seen.ID
	r.mu.RUnlock()
	if w == nil || ctx.Err() != nil {
		return
	}
	document, err := r.s.document(ctx, id)
	if err == nil {
		err = w.Configure(ctx, document)
	}
	if err != nil {
		r.log.Warn("settings not brought to the worker, will be tried again", "error", err)
	}
}

// revision of the settings that a number is to work by.
func (s *Supervisor) revision(id ID) int64 {
	if s.o.Settings == nil {
		return 0
	}
	return s.o.Settings.Revision(id)
}

func (s *Supervisor) document(ctx context.Context, id ID) (json.RawMessage, error) {
	if s.o.Settings == nil {
		return nil, nil
	}
	return s.o.Settings.Document(ctx, id)
}
