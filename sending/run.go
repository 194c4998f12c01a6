package sending

import (
	"context"
	"net/http"
	"os"
	"time"
)

// Run works the queue off until ctx ends, one send after the other. What goes to one chat
// goes in the order in which it was due; who waits for a turn of their own holds nobody else
// up. The database is given up on by nobody: what cannot be read now is read later.
func (q *Queue) Run(ctx context.Context, do Do) {
	for retry := firstRetry; ; retry = min(2*retry, maxRetry) {
		err := q.o.Book.resume(ctx)
		if err == nil {
			q.last, q.lastStranger, err = q.o.Book.lately(ctx)
		}
		if err == nil {
			err = q.sweep(ctx)
		}
		if err == nil {
			break
		}
		q.o.Log.Warn("queue cannot be read", "error", err)
		if !sleep(ctx, retry, nil) {
			return
		}
	}
	for {
		wait, err := q.turn(ctx, do)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			q.o.Log.Warn("queue cannot be worked off", "error", err)
			wait = firstRetry
		}
		if !sleep(ctx, wait, q.wake) {
			return
		}
	}
}

// sleep waits, for ever if d is negative, until wake; false when ctx has ended.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	var timer <-chan time.Time
	if d >= 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-timer:
	case <-wake:
	case <-ctx.Done():
		return false
	}
	return true
}

// turn does the first send whose time has come, and says how long to wait until the next
// look; negative: until something changes.
func (q *Queue) turn(ctx context.Context, do Do) (wait time.Duration, err error) {
	waiting, err := q.o.Book.Queue(ctx, ahead)
	if err != nil {
		return 0, err
	}
	pace := *q.pace.Load()
	now := time.Now()
	var first time.Time
	held := map[string]bool{} // chats whose first message is not due yet
	if q.away.After(now) && len(waiting) > 0 {
		return q.away.Sub(now), nil
	}
	for _, s := range waiting {
		if held[s.Chat] && s.Chat != "" {
			continue
		}
		stranger := false
		if pace.NewChatPause > 0 && s.Chat != "" {
			known, err := q.o.Known(ctx, s.Chat)
			if err != nil {
				return 0, err
			}
			stranger = !known
		}
		at := later(later(s.Due, s.RetryAt), next(pace, now, q.last, q.lastStranger, stranger))
		if !at.After(now) {
			return 0, q.one(ctx, s, stranger, do)
		}
		held[s.Chat] = true
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	if first.IsZero() {
		return -1, nil
	}
	return time.Until(first), nil
}

// one does a send.
func (q *Queue) one(ctx context.Context, s Send, stranger bool, do Do) error {
	s, err := q.o.Book.byID(ctx, s.ID) // with its parameters
	if err != nil {
		return err
	}
	ok, err := q.o.Book.take(ctx, s.ID, stranger)
	if err != nil || !ok {
		return err
	}
	if scheduled := s.Due.After(s.CreatedAt); scheduled && time.Since(s.Due) > giveUp {
		q.settle(ctx, s, Failed, Answer{}, "Its time was more than a day ago, and the number could not send it then.")
		return nil
	}
	s.Attempts++
	a := do(ctx, s)
	if ctx.Err() != nil {
		if a.Status >= http.StatusMultipleChoices {
			return nil // ended in the middle: the next process sends it again under the same id
		}
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), firstRetry)
		defer cancel()
		ctx = last
	}
	now := time.Now()
	state, reason := Done, ""
	switch expired := now.After(s.Due.Add(giveUp)); {
	case a.Status < 300:
		q.last, q.failures = now, 0
		if stranger {
			q.lastStranger = now
		}
	case a.Status == http.StatusUnauthorized && !expired: // not connected
		q.away = now.Add(backoff(q.failures))
		q.failures++
		return q.o.Book.again(ctx, s.ID, time.Time{}, reasonOf(a))
	case a.Status >= http.StatusInternalServerError && !expired: // WhatsApp did not answer in time
		return q.o.Book.again(ctx, s.ID, now.Add(backoff(s.Attempts-1)), reasonOf(a))
	default:
		state, reason = Failed, reasonOf(a)
	}
	q.settle(ctx, s, state, a, reason)
	return nil
}

// settle notes what became of a send, however long that takes.
func (q *Queue) settle(ctx context.Context, s Send, state State, a Answer, reason string) {
	for err := q.o.Book.finish(ctx, s.ID, state, a, reason); err != nil; err = q.o.Book.finish(ctx, s.ID, state, a, reason) {
		q.o.Log.Warn("end of a send cannot be noted", "error", err)
		if !sleep(ctx, firstRetry, nil) {
			return
		}
	}
	q.drop(s)
	q.ended(s.ID)
}

func backoff(failures int) time.Duration {
	return min(firstRetry<<min(failures, 8), maxRetry)
}

// sweep removes files that no send needs any more.
func (q *Queue) sweep(ctx context.Context) error {
	files, err := os.ReadDir(q.o.Dir)
	if err != nil || len(files) == 0 {
		return nil // the folder is made when it is needed
	}
	waiting, err := q.o.Book.Queue(ctx, mostWait)
	if err != nil {
		return err
	}
	needed := map[string]bool{}
	for _, s := range waiting {
		for _, f := range s.Files {
			needed[f.Stored] = true
		}
	}
	for _, f := range files {
		if !needed[f.Name()] {
			q.drop(Send{Files: map[string]File{"": {Stored: f.Name()}}})
		}
	}
	return nil
}
