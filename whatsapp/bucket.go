package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"switchboard/fault"
	"switchboard/messages"
	"switchboard/settings"
)

// Bucket keeps files outside of the number's folder. What it says of an error may be shown;
// that a file is not there is a fault.NotFound, and no error of Delete.
type Bucket interface {
	Put(ctx context.Context, name string, file io.ReadSeeker, kind string) error
	Open(ctx context.Context, name string, size int64) (io.ReadSeekCloser, error)
	Delete(ctx context.Context, name string) error
}

// ErrMedia is wrapped by what says that a file is kept, or may be, and cannot be had now.
var ErrMedia = errors.New("file out of reach")

// OpenMedia opens a file that Media returned, wherever it lies. ctx holds for all reading.
func (s *Session) OpenMedia(ctx context.Context, f messages.File) (io.ReadSeekCloser, error) {
	for range 3 { // it may move while it is looked for
		if f.Place != "" {
			b, err := s.bucketAt(f.Place)
			if err != nil {
				return nil, err
			}
			object, err := b.Open(ctx, f.File, f.Size)
			if err == nil {
				return object, nil
			}
			if fault.KindOf(err) != fault.NotFound {
				return nil, fault.Wrap(fault.Unavailable, fault.MessageOf(err), errors.Join(ErrMedia, err))
			}
			if f, err = s.fetchAgain(ctx, f); err != nil { // somebody else deleted it
				return nil, err
			}
		}
		file, err := os.Open(s.mediaPath(f))
		if err == nil {
			return file, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		if f, err = s.MediaNamed(ctx, f.File); err != nil {
			return nil, err
		}
	}
	return nil, fault.Wrap(fault.Unavailable, "This file was moved just now. Try again.", ErrMedia)
}

func (s *Session) mediaPath(f messages.File) string { return filepath.Join(s.fetch.dir, f.File) }

func (s *Session) bucketAt(place string) (Bucket, error) {
	at, ok := s.settings().Media.At(place)
	if !ok || s.bucket == nil {
		return nil, fault.Wrap(fault.Unavailable, "This file lies at "+place+", and the keys for it are not set for this number any more.", ErrMedia)
	}
	return s.bucket(at)
}

// putAway moves media from the number's folder to the bucket, if there is one, until the
// session ends. What waits is in the database, so nothing is forgotten while the bucket does
// not answer, nor by a restart.
func (s *Session) putAway() {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	defer timer.Stop()
	failures, cleared := 0, false
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.fetch.fetched:
			if !s.fetch.bucketChanged.Swap(false) {
				if failures > 0 {
					continue // the timer tells when to try again
				}
			} else if err := s.messages.HurryMedia(s.ctx); err != nil {
				s.log.Error("media for the bucket not read", "error", err)
			} else {
				failures = 0
			}
		case <-timer.C:
		}
		at := s.settings().Media.Bucket
		if !at.Set() || s.bucket == nil {
			continue
		}
		if !cleared {
			s.clearMoved()
			cleared = true
		}
		f, next, err := s.messages.MediaHere(s.ctx, time.Now())
		if err == nil && f != nil {
			err = s.putOneAway(at, *f, failures)
		}
		switch {
		case err != nil:
			if s.ctx.Err() != nil {
				return
			}
			s.log.Warn("media not put into the bucket", "error", scrub(err.Error()))
			timer.Reset(backoff(failures, s.pace.away, s.pace.awayMax))
			failures++
		case f != nil:
			failures = 0
			timer.Reset(0)
		case !next.IsZero():
			timer.Reset(time.Until(next))
		}
	}
}

// putOneAway moves one file, or notes why it cannot be.
func (s *Session) putOneAway(at settings.Bucket, f messages.File, failures int) error {
	err := s.upload(at, f)
	if err == nil || s.ctx.Err() != nil {
		return err
	}
	// Others come first: the reason may be this file's alone.
	until := time.Now().Add(backoff(failures, s.pace.away, s.pace.awayMax))
	if noted := s.messages.PutOffMedia(s.ctx, f.File, fetchReason(err), until); noted != nil {
		return noted
	}
	return err
}

func (s *Session) upload(at settings.Bucket, f messages.File) error {
	b, err := s.bucket(at)
	if err != nil {
		return err
	}
	file, err := os.Open(s.mediaPath(f))
	if errors.Is(err, os.ErrNotExist) { // as after a restore: it comes from WhatsApp if somebody asks
		return s.messages.LeaveMedia(s.ctx, []string{f.File})
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	ctx, cancel := context.WithTimeout(s.ctx, fetchTime)
	defer cancel()
	if err := b.Put(ctx, f.File, file, objectType(f.MIME)); err != nil {
		return err
	}
	kept, err := s.messages.MoveMedia(s.ctx, f.File, at.Place())
	if err != nil {
		return err
	}
	if !kept {
		return b.Delete(ctx, f.File)
	}
	return s.removeMedia(f.File)
}

// objectType is the type that an object has in the bucket: one that WhatsApp's own clients
// send, or none in particular. Whoever opens the bucket to others must not serve pages there
// that somebody sent.
func objectType(mime string) string {
	kind, _, _ := strings.Cut(mime, ";")
	kind = strings.TrimSpace(strings.ToLower(kind))
	if _, known := extensions[kind]; known {
		return kind
	}
	return "application/octet-stream"
}

// clearMoved removes from the folder what a killed process had put into a bucket already.
func (s *Session) clearMoved() {
	entries, err := os.ReadDir(s.fetch.dir)
	if err != nil {
		return // there is no folder yet
	}
	for _, e := range entries {
		f, err := s.messages.MediaNamed(s.ctx, e.Name())
		if err == nil && f.State == messages.Stored && f.Place != "" {
			err = s.removeMedia(e.Name())
		}
		if err != nil && fault.KindOf(err) != fault.NotFound {
			s.log.Warn("a file of media is left over", "error", err)
		}
	}
}

// deleteDiscarded deletes media that are not kept any longer where they lie. What a place does
// not let go of is tried again the next time.
func (s *Session) deleteDiscarded(ctx context.Context) error {
	failed := map[string]error{}
	return s.messages.EachDiscarded(ctx, func(file, place string) error {
		if err := failed[place]; err != nil {
			return err
		}
		err := s.deleteAt(ctx, file, place)
		if err != nil {
			s.log.Warn("media not deleted", "error", scrub(err.Error()))
			if place != "" {
				failed[place] = err
			}
		}
		return err
	})
}

func (s *Session) deleteAt(ctx context.Context, file, place string) error {
	if place == "" {
		return s.removeMedia(file)
	}
	if _, ok := s.settings().Media.At(place); !ok {
		return nil // whoever forgot its keys was told that files stay there
	}
	b, err := s.bucketAt(place)
	if err != nil {
		return err
	}
	return b.Delete(ctx, file)
}

// removeMedia deletes a file from the number's folder. That it is not there is no error.
func (s *Session) removeMedia(file string) error {
	if file != filepath.Base(file) || strings.HasPrefix(file, ".") {
		return fmt.Errorf("%q is no file of media", file)
	}
	if err := os.Remove(filepath.Join(s.fetch.dir, file)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
