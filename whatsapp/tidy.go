package whatsapp

import (
	"context"
	"errors"
	"time"
)

// How often old messages and media are looked for.
const tidyEvery = 6 * time.Hour

// keepTidy deletes what the settings say is not to be kept, until the session ends. The first
// look comes when settings have been applied.
func (s *Session) keepTidy() {
	timer := time.NewTimer(tidyEvery)
	defer timer.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.tidy:
		case <-timer.C:
		}
		if err := s.tidyUp(s.ctx, time.Now()); err != nil && s.ctx.Err() == nil {
			s.log.Error("old messages not deleted", "error", err)
		}
		timer.Reset(tidyEvery)
	}
}

func (s *Session) tidyUp(ctx context.Context, now time.Time) error {
	err := s.forgetOld(ctx, now)
	return errors.Join(err, s.deleteDiscarded(ctx))
}

// forgetOld takes from the database what is not to be kept.
func (s *Session) forgetOld(ctx context.Context, now time.Time) error {
	keep := s.settings().Retention
	if keep.Days > 0 {
		if err := s.forget(ctx, now.AddDate(0, 0, -keep.Days)); err != nil {
			return err
		}
	}
	if keep.MediaDays > 0 {
		if err := s.forgetMedia(ctx, now.AddDate(0, 0, -keep.MediaDays)); err != nil {
			return err
		}
	}
	if keep.MaxBytes > 0 {
		return s.shrink(ctx, keep.MaxBytes)
	}
	return nil
}

// forget deletes messages older than before.
func (s *Session) forget(ctx context.Context, before time.Time) error {
	total := 0
	for {
		n, err := s.messages.Forget(ctx, before)
		if err != nil {
			return err
		}
		if total += n; n == 0 {
			break
		}
	}
	if total > 0 {
		s.log.Info("old messages deleted", "messages", total)
	}
	return nil
}

// forgetMedia deletes the files of messages older than before; what it takes to fetch them
// again stays.
func (s *Session) forgetMedia(ctx context.Context, before time.Time) error {
	for {
		old, err := s.messages.OldMedia(ctx, before, 100)
		if err != nil || len(old) == 0 {
			return err
		}
		for _, f := range old {
			if err := s.messages.DropMedia(ctx, f); err != nil {
				return err
			}
		}
	}
}

// shrink deletes the oldest media, and then the oldest messages, until all of it together has
// at most so many bytes.
func (s *Session) shrink(ctx context.Context, limit int64) error {
	_, media, err := s.messages.StoredMedia(ctx)
	if err != nil {
		return err
	}
	size, count, err := s.messages.Size(ctx)
	if err != nil {
		return err
	}
	for media > 0 && media+size > limit {
		old, err := s.messages.OldMedia(ctx, time.Time{}, 20)
		if err != nil || len(old) == 0 {
			return err
		}
		for _, f := range old {
			if media+size <= limit {
				break
			}
			if err := s.messages.DropMedia(ctx, f); err != nil {
				return err
			}
			media -= f.Size
		}
	}
	for size > limit {
		until, err := s.messages.Oldest(ctx, max(1, count*(size-limit)/size))
		if err != nil || until.IsZero() {
			return err
		}
		if err := s.forget(ctx, until.Add(time.Millisecond)); err != nil {
			return err
		}
		before := size
		if size, count, err = s.messages.Size(ctx); err != nil || size == before {
			return err
		}
	}
	return nil
}
