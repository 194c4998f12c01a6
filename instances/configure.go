package instances

import (
	"context"
	"encoding/json"
	"sync"
	"time"
)

const (
	// configureLimit is how long whoever changes settings waits for a worker to take them. One
	// that takes longer gets them behind that: its reports tell which it has.
	configureLimit = 5 * time.Second
	// So many workers are told at once of what is for all.
	configureAtOnce = 16
)

// Configure brings the present settings to the worker of a number, or to all workers if id is
// "". They are in force when it returns, save with workers that do not answer at once: those
// get them again until they have them. A number that is over the limit of its folder is tried
// at once.
func (s *Supervisor) Configure(ctx context.Context, id ID) {
	s.mu.RLock()
	var all []*runner
	for of, r := range s.runners {
		if id == "" || of == id {
			all = append(all, r)
		}
	}
	s.mu.RUnlock()
	var bringing sync.WaitGroup
	places := make(chan struct{}, configureAtOnce)
	for _, r := range all {
		bringing.Go(func() {
			places <- struct{}{}
			r.configure(s.life) // also when whoever asked has gone
			<-places
		})
	}
	done := make(chan struct{})
	go func() {
		bringing.Wait()
		close(done)
	}()
	limit := time.NewTimer(configureLimit)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
	case <-ctx.Done():
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
	if w == nil {
		_ = r.do(ctx, func() error { // what is over or gone needs no settings
			if r.inst.Status == Backoff && r.inst.Reason == DiskLimit { // which may be another one now
				r.inst.RetryAt = now()
			}
			return nil
		})
	}
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
