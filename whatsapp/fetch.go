package whatsapp

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/messages"
)

// How media are fetched in the background.
const (
	defaultMediaSize = 100 << 20 // what is larger is left, unless the settings say otherwise
	fetchAtOnce      = 2
	fetchTime        = 30 * time.Minute // for one file
	fetchTries       = 12               // then it is left until somebody asks
	fetchPause       = 10 * time.Second // after the first failure; it doubles
	fetchPauseMax    = 6 * time.Hour
	roomAgain        = time.Hour // after one for which there was no room
)

// fetcher brings media into the number's folder, in the background those that wait, and at
// once those that somebody asks for. What waits is in the database, so it goes on after a
// restart.
type fetcher struct {
	dir   string       // "": nothing is fetched in the background
	space func() int64 // how many bytes all media together may have now; 0: no limit
	wake  chan struct{}

	fetched       chan struct{} // something came into the folder, or the bucket changed
	bucketChanged atomic.Bool

	mu   sync.Mutex
	busy map[string]chan struct{} // files that are being fetched; closed at the end
	asks map[string]chan answer   // files that the phone is asked for while somebody waits
}

func newFetcher(dir string, space func() int64) *fetcher {
	if space == nil {
		space = func() int64 { return 0 }
	}
	return &fetcher{dir: dir, space: space, wake: make(chan struct{}, 1), fetched: make(chan struct{}, 1), busy: map[string]chan struct{}{}, asks: map[string]chan answer{}}
}

// nudge has the fetcher look for work.
func (f *fetcher) nudge() { signal(f.wake) }

// putAway has what is in the folder put into the bucket.
func (f *fetcher) putAway() { signal(f.fetched) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// chooseMedia decides whether the media of a message that just arrived are fetched in the
// background. Status posts, which are many and are gone in a day, are not.
func (s *Session) chooseMedia(msg *messages.Message) {
	d := msg.Media
	if d == nil || s.fetch.dir == "" || messages.KindOfChat(msg.Chat) == messages.Statuses {
		return
	}
	if set := s.settings().Media; !set.NoDownload && d.Size <= mediaSize(set.MaxBytes) {
		d.State, d.NextAt = messages.Waiting, time.Now()
	}
}

func mediaSize(set int64) int64 {
	if set <= 0 {
		return defaultMediaSize
	}
	return set
}

// fetchWaiting fetches what waits until the session ends.
func (s *Session) fetchWaiting() {
	s.clearParts()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.fetch.wake:
		case <-timer.C:
		}
		if err := s.untilConnected(); err != nil {
			return
		}
		due, next, err := s.messages.WaitingMedia(s.ctx, time.Now(), fetchAtOnce)
		if err != nil {
			s.log.Error("waiting media not read", "error", err)
			timer.Reset(time.Minute)
			continue
		}
		var all sync.WaitGroup
		for _, f := range due {
			all.Go(func() { _, _ = s.fetchOne(s.ctx, f, false) }) // what became of it is stored
		}
		all.Wait()
		switch {
		case len(due) > 0:
			timer.Reset(0)
		case !next.IsZero():
			timer.Reset(time.Until(next))
		}
	}
}

// untilConnected waits for a connection; its error says that the session ended first.
func (s *Session) untilConnected() error {
	for {
		changed := s.Changed()
		if s.Report().Status == instances.Connected {
			return nil
		}
		select {
		case <-changed:
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
	}
}

// clearParts removes what an earlier process left half fetched.
func (s *Session) clearParts() {
	parts, err := filepath.Glob(filepath.Join(s.fetch.dir, partPrefix+"*"))
	if err != nil {
		return
	}
	for _, part := range parts {
		if err := os.Remove(part); err != nil {
			s.log.Warn("half of a file of media is left over", "error", err)
		}
	}
}

const partPrefix = ".part-"

// Media returns the media of a message, and fetches them from WhatsApp first if they are not
// kept; OpenMedia opens them. It waits as long as ctx allows. What
// WhatsApp has no more is a fault.NotFound.
func (s *Session) Media(ctx context.Context, chat, id string) (messages.File, error) {
	f, err := s.messages.MediaOf(ctx, chat, id)
	if fault.KindOf(err) == fault.NotFound {
		f, err = s.recallMedia(ctx, chat, id)
	}
	if err != nil {
		return messages.File{}, err
	}
	return s.here(ctx, f)
}

// MediaNamed is Media by the name of the file, as payloads and answers have it.
func (s *Session) MediaNamed(ctx context.Context, file string) (messages.File, error) {
	f, err := s.messages.MediaNamed(ctx, file)
	if err != nil {
		return messages.File{}, err
	}
	return s.here(ctx, f)
}

// recallMedia finds out what a message of before media were kept has to fetch.
func (s *Session) recallMedia(ctx context.Context, chat, id string) (messages.File, error) {
	msg, err := s.messages.Message(ctx, chat, id)
	if err != nil {
		return messages.File{}, err
	}
	var m waE2E.Message
	if err := proto.Unmarshal(msg.Raw, &m); err != nil {
		return messages.File{}, err
	}
	d := mediaOf((&events.Message{RawMessage: &m}).UnwrapRaw().Message, msg.At)
	if d == nil {
		return messages.File{}, fault.New(fault.NotFound, "This message has no file.")
	}
	if err := s.messages.AddMedia(ctx, messages.File{Chat: msg.Chat, ID: msg.ID, Sender: msg.Sender, Media: *d}); err != nil {
		return messages.File{}, err
	}
	return s.messages.MediaOf(ctx, chat, id) // it may have become known meanwhile, under another name
}

// here makes sure that a file is kept.
func (s *Session) here(ctx context.Context, f messages.File) (messages.File, error) {
	if s.fetch.dir == "" {
		return messages.File{}, fault.New(fault.Unavailable, "This number keeps no media.")
	}
	if f.State == messages.Stored {
		if f.Place != "" {
			return f, nil
		}
		if _, err := os.Stat(s.mediaPath(f)); err == nil {
			return f, nil
		}
	}
	return s.fetchAgain(ctx, f)
}

// fetchAgain fetches a file because somebody asks for it.
func (s *Session) fetchAgain(ctx context.Context, f messages.File) (messages.File, error) {
	if s.Report().Status != instances.Connected {
		return messages.File{}, fault.New(fault.Unavailable,
			"This file is still with WhatsApp, and this number is not connected to WhatsApp at the moment. Try again when it is connected.")
	}
	return s.fetchOne(ctx, f, true)
}

// fetchOne fetches a file, or waits for whoever is fetching it, and stores what became of it.
// Where somebody waits for the file, it waits for the phone, too.
func (s *Session) fetchOne(ctx context.Context, f messages.File, waits bool) (messages.File, error) {
	s.fetch.mu.Lock()
	if other := s.fetch.busy[f.File]; other != nil {
		s.fetch.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return messages.File{}, ctx.Err()
		}
		now, err := s.messages.MediaNamed(ctx, f.File)
		switch {
		case err == nil && now.State == messages.Gone:
			err = fault.New(fault.NotFound, now.Error)
		case err == nil && now.State != messages.Stored:
			err = fault.Wrap(fault.Unavailable, "This file could not be fetched from WhatsApp: "+now.Error, ErrMedia)
		}
		return now, err
	}
	done := make(chan struct{})
	s.fetch.busy[f.File] = done
	s.fetch.mu.Unlock()
	defer func() {
		s.fetch.mu.Lock()
		delete(s.fetch.busy, f.File)
		s.fetch.mu.Unlock()
		close(done)
	}()
	known, err := s.messages.MediaNamed(ctx, f.File)
	if err != nil {
		return messages.File{}, err
	}
	if known.State == messages.Stored && !known.StoredAt.Equal(f.StoredAt) {
		return known, nil // somebody else was faster, and it may be on its way to the bucket
	}
	f = known
	limited, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	size, err := s.download(limited, f)
	if withWhatsAppNoMore(err) {
		size, err = s.fetchFromPhone(limited, &f, waits)
	}
	if s.ctx.Err() != nil {
		return messages.File{}, s.ctx.Err() // it goes on waiting
	}
	now := time.Now()
	f.Tries++
	switch {
	case err == nil:
		f.State, f.Place, f.Size, f.StoredAt, f.Error, f.NextAt = messages.Stored, "", size, now, "", time.Time{}
	case fault.KindOf(err) == fault.NotFound:
		f.State, f.Error, f.NextAt = messages.Gone, fetchReason(err), time.Time{}
	case errors.Is(err, errAsked) && (f.State != messages.Waiting || f.Tries < fetchTries):
		// Its answer makes it due at once; whoever has a phone in a drawer waits.
		f.State, f.NextAt, f.Error = messages.Waiting, now.Add(askAgain), fetchReason(err)
	case errors.Is(err, errNoSpace) && f.State == messages.Waiting:
		// There is room again when the bucket has taken what waits for it, or without one when
		// something was removed or the limit was raised.
		pause := roomAgain
		if s.settings().Media.Bucket.Set() {
			pause = time.Minute
		}
		f.Tries, f.NextAt, f.Error = f.Tries-1, now.Add(pause), fetchReason(err)
	case errors.Is(err, errTooLarge), errors.Is(err, errNoSpace), f.State == messages.Waiting && f.Tries >= fetchTries:
		f.State, f.Error = messages.Left, fetchReason(err)
	default:
		pause := min(fetchPause<<min(f.Tries-1, 12), fetchPauseMax)
		f.NextAt, f.Error = now.Add(pause/2+rand.N(pause)), fetchReason(err)
	}
	if err != nil {
		s.log.Warn("media not fetched", "tries", f.Tries, "error", scrub(err.Error()))
	}
	kept := false
	stored := persist(s.ctx, func() (err error) {
		kept, err = s.messages.SetMedia(s.ctx, f)
		return err
	})
	if stored == nil && !kept {
		stored = errors.Join(fault.New(fault.NotFound, "This message is not kept any more."), s.removeMedia(f.File))
	}
	if stored != nil {
		return messages.File{}, stored
	}
	if f.State == messages.Stored {
		s.fetch.putAway()
	}
	return f, err
}

func fetchReason(err error) string {
	if fault.KindOf(err) != fault.Internal {
		return fault.MessageOf(err)
	}
	return beginning(scrub(err.Error()), 200)
}

// download writes a file to its place, all of it or nothing, without having it in memory.
func (s *Session) download(ctx context.Context, f messages.File) (size int64, err error) {
	limit := max(mediaSize(s.settings().Media.MaxBytes), f.Size)
	if space := s.fetch.space(); space > 0 {
		used, _, err := s.messages.StoredMedia(ctx)
		if err != nil {
			return 0, err
		}
		if used+f.Size > space {
			return 0, errNoSpace
		}
		limit = min(limit, space-used)
	}
	if err := os.MkdirAll(s.fetch.dir, 0o700); err != nil {
		return 0, err
	}
	part := filepath.Join(s.fetch.dir, partPrefix+f.File)
	file, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() {
		_ = file.Close()
		if err != nil {
			_ = os.Remove(part)
		}
	}()
	kind := mediaKinds[f.Type]
	// Ciphertext is a little longer than what is in it.
	err = s.current().client.DownloadMediaWithPathToFile(ctx, f.DirectPath, f.EncSHA256, f.SHA256, f.Key, kind.keys, kind.mms, false,
		&bounded{File: file, left: limit + 1024})
	if err != nil {
		return 0, err
	}
	if err := file.Sync(); err != nil {
		return 0, err
	}
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), os.Rename(part, filepath.Join(s.fetch.dir, f.File))
}

var (
	errTooLarge = fault.New(fault.Invalid, "This file is larger than its sender says, or than the settings allow.")
	errNoSpace  = fault.Wrap(fault.Unavailable, "There is no room for this file: the media of this number have reached their limit.", ErrMedia)
)

// bounded is a file to which only so much is written. What a message says about its size is
// the sender's word.
type bounded struct {
	*os.File
	left int64
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, errTooLarge
	}
	return b.File.Write(p)
}

// mediaKinds are whatsmeow's words for the types.
var mediaKinds = map[messages.Type]struct {
	keys whatsmeow.MediaType
	mms  string
}{
	messages.ImageFile:    {whatsmeow.MediaImage, "image"},
	messages.StickerFile:  {whatsmeow.MediaImage, "image"},
	messages.VideoFile:    {whatsmeow.MediaVideo, "video"},
	messages.VideoNote:    {whatsmeow.MediaVideo, "video"},
	messages.AudioFile:    {whatsmeow.MediaAudio, "audio"},
	messages.VoiceNote:    {whatsmeow.MediaAudio, "audio"},
	messages.DocumentFile: {whatsmeow.MediaDocument, "document"},
}
