package whatsapp

import (
	"context"
	"errors"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waMmsRetry"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"switchboard/fault"
	"switchboard/messages"
)

// askAgain is how long the phone has before it is asked for a file once more by itself.
const askAgain = 24 * time.Hour

// answer is what the phone says when it is asked for a file that WhatsApp has no more: where
// it has put it, or why it has not.
type answer struct {
	path string
	err  error
}

var (
	// errAsked stands for an answer that has not come.
	errAsked       = fault.Wrap(fault.Unavailable, "WhatsApp has this file no more. The phone was asked for it, and has not answered yet.", ErrMedia)
	errNowhere     = fault.New(fault.NotFound, "WhatsApp has this file no more, and neither has the phone.")
	errNoKey       = fault.New(fault.NotFound, "WhatsApp has this file no more.")
	errPhoneFailed = fault.Wrap(fault.Unavailable, "WhatsApp has this file no more, and the phone could not give it again. Try again later.", ErrMedia)
)

// withWhatsAppNoMore tells whether WhatsApp's servers have forgotten a file.
func withWhatsAppNoMore(err error) bool {
	return errors.Is(err, whatsmeow.ErrMediaDownloadFailedWith403) || errors.Is(err, whatsmeow.ErrMediaDownloadFailedWith404) ||
		errors.Is(err, whatsmeow.ErrMediaDownloadFailedWith410)
}

// fetchFromPhone asks the phone to upload a file once more. Where somebody waits it waits for
// the answer, and fetches the file; else the answer makes the file due.
func (s *Session) fetchFromPhone(ctx context.Context, f *messages.File, waits bool) (size int64, err error) {
	if len(f.Key) == 0 {
		return 0, errNoKey // as of a channel: it is not encrypted, and not on the phone
	}
	if !waits && time.Since(f.AskedAt) < askAgain {
		return 0, errAsked
	}
	answers := make(chan answer, 1)
	if waits {
		s.fetch.mu.Lock()
		s.fetch.asks[f.File] = answers
		s.fetch.mu.Unlock()
		defer func() {
			s.fetch.mu.Lock()
			delete(s.fetch.asks, f.File)
			s.fetch.mu.Unlock()
		}()
	}
	if err := s.askPhone(ctx, *f); err != nil {
		return 0, err
	}
	f.AskedAt = time.Now()
	if !waits {
		return 0, errAsked
	}
	patience := time.NewTimer(s.pace.give)
	defer patience.Stop()
	select {
	case a := <-answers:
		if a.err != nil {
			return 0, a.err
		}
		f.DirectPath = a.path
		return s.download(ctx, *f)
	case <-patience.C:
		return 0, errAsked
	case <-ctx.Done():
		return 0, errAsked
	}
}

func (s *Session) askPhone(ctx context.Context, f messages.File) error {
	msg, err := s.messages.Message(ctx, f.Chat, f.ID)
	if err != nil {
		return err
	}
	chat, err := types.ParseJID(f.Chat)
	if err != nil {
		return err
	}
	sender, err := types.ParseJID(f.Sender)
	if err != nil {
		return err
	}
	return s.current().client.SendMediaRetryReceipt(ctx, &types.MessageInfo{
		ID:            f.ID,
		MessageSource: types.MessageSource{Chat: chat, Sender: sender, IsFromMe: msg.FromMe, IsGroup: chat.Server == types.GroupServer},
	}, f.Key)
}

// phoneGave takes the phone's answer: for whoever waits for it, or for later.
func (s *Session) phoneGave(ctx context.Context, a *account, e *events.MediaRetry) error {
	chat := e.ChatID.String()
	if e.ChatID.Server != types.GroupServer {
		chat, _ = a.forms(ctx, e.ChatID, types.EmptyJID)
	}
	f, err := s.messages.MediaOf(ctx, chat, e.MessageID)
	if fault.KindOf(err) == fault.NotFound {
		return nil // it is not kept any more
	}
	if err != nil {
		return err
	}
	got := opened(e, f.Key)
	s.fetch.mu.Lock()
	waiting := s.fetch.asks[f.File]
	delete(s.fetch.asks, f.File)
	s.fetch.mu.Unlock()
	if waiting != nil {
		waiting <- got
		return nil
	}
	if f.State != messages.Waiting {
		return nil
	}
	switch {
	case got.err == nil:
		f.DirectPath, f.NextAt, f.Error = got.path, time.Now(), ""
	case fault.KindOf(got.err) == fault.NotFound:
		f.State, f.NextAt, f.Error = messages.Gone, time.Time{}, fetchReason(got.err)
	default:
		f.Error = fetchReason(got.err)
	}
	if _, err := s.messages.SetMedia(ctx, f); err != nil {
		return err
	}
	s.fetch.nudge()
	return nil
}

// opened is what an answer says.
func opened(e *events.MediaRetry, key []byte) answer {
	said, err := whatsmeow.DecryptMediaRetryNotification(e, key)
	switch {
	case errors.Is(err, whatsmeow.ErrMediaNotAvailableOnPhone):
		return answer{err: errNowhere}
	case err != nil:
		return answer{err: fault.Wrap(fault.Unavailable, errPhoneFailed.Message, errors.Join(ErrMedia, err))}
	case said.GetResult() == waMmsRetry.MediaRetryNotification_NOT_FOUND:
		return answer{err: errNowhere}
	case said.GetResult() != waMmsRetry.MediaRetryNotification_SUCCESS || said.GetDirectPath() == "":
		return answer{err: errPhoneFailed}
	}
	return answer{path: said.GetDirectPath()}
}
