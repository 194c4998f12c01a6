package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"switchboard/engine"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/messages"
	"switchboard/whatsapp/serial"
)

// maxText is how many characters WhatsApp takes in one text.
const maxText = 65536

// How long a send may take, and how much of that WhatsApp's answer.
const (
	sendTimeout = 90 * time.Second
	ackTimeout  = 60 * time.Second
)

// ErrReachOut is wrapped by the fault with which WhatsApp's code 463 is reported. It is
// given where the account may not begin new conversations for a while, and where this one
// recipient takes nothing from people they do not know.
var ErrReachOut = errors.New("refused with 463")

// SendText is Send of a text alone.
func (s *Session) SendText(ctx context.Context, to, text string) (instances.Sent, error) {
	return s.Send(ctx, to, Text(text), Extras{})
}

// send stores and sends a message.
func (s *Session) send(ctx context.Context, out outgoing) (instances.Sent, error) {
	raw, err := proto.Marshal(out.message)
	if err != nil {
		return instances.Sent{}, err
	}
	a := out.a
	if out.id == "" {
		out.id = a.idOf(ctx)
	}
	what := unwrap(out.message)
	kind, text, target := content(what)
	msg := messages.Message{
		ID: out.id, FromMe: true, Kind: kind, Text: text, Target: target, Raw: raw,
		// WhatsApp counts in whole seconds; with a fraction, an answer within the same
		// second would seem older than this.
		At: time.Now().Truncate(time.Second), Status: messages.Queued,
	}
	// Only an administrator takes back what others wrote.
	msg.Admin = kind == messages.Revoked && !what.GetProtocolMessage().GetKey().GetFromMe()
	s.active.Store(msg.At.UnixNano())
	msg.Chat, msg.ChatLID = a.forms(ctx, out.to, types.EmptyJID)
	msg.Sender, msg.SenderLID = a.forms(ctx, a.jid(), a.device.GetLID())
	a.describe(ctx, &msg, what)
	msg.Votes = out.votes
	// It is encrypted while it is being stored, and goes out when it is stored. From then on
	// the caller's time is only how long he waits.
	type outcome struct {
		sent instances.Sent
		err  error
	}
	done := make(chan outcome, 1)
	transmit := func(stored func() error) {
		s.spare.run(func() {
			defer s.sending.Add(-1)
			ctx, cancel := s.lasting(ctx)
			defer cancel()
			sent, err := s.transmit(ctx, out, msg, stored)
			done <- outcome{sent, err}
		})
	}
	if err := ctx.Err(); err != nil {
		return instances.Sent{}, err
	}
	if s.sending.Add(1) > 1 {
		// whatsmeow sends one after the other, so it is not this one's turn yet. Those that wait
		// are stored together when the first of them has to be.
		transmit(s.messages.SaveSoon(msg))
	} else {
		saved := make(chan struct{})
		var notSaved error
		transmit(func() error { <-saved; return notSaved })
		notSaved = s.messages.Save(ctx, msg)
		close(saved)
		if notSaved != nil {
			return instances.Sent{}, s.notSaved(notSaved)
		}
	}
	select {
	case o := <-done:
		return o.sent, o.err
	case <-ctx.Done():
		return instances.Sent{}, fault.Wrap(fault.Unavailable, "WhatsApp did not confirm the message in time. It may or may not have gone out.", ctx.Err())
	}
}

// notSaved is what a person hears when a message could not be stored, and was not sent therefore.
func (s *Session) notSaved(err error) error {
	if engine.Unwritable(err) {
		s.noteDisk(instances.StorageReadOnly)
		return fault.Wrap(fault.Unavailable, "Nothing can be stored at the moment, so the message was not sent; the number's page says more.", errors.Join(ErrNoRoom, err))
	}
	if !engine.Full(err) {
		return err
	}
	s.noteDisk(instances.StorageFull)
	return fault.Wrap(fault.Unavailable, "There is no room left on the disk, so the message was not sent. Make room, then try again.", errors.Join(ErrNoRoom, err))
}

// lasting is the context of a send, which its caller does not end once the message is stored.
// Where the keys are in a file, nothing does but the time that WhatsApp has for its answers,
// since the driver of SQLite starts a goroutine for each statement that could be ended.
func (s *Session) lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx = context.WithoutCancel(ctx)
	if s.keysInFile {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, sendTimeout)
}

// transmit sends a message as soon as it is stored, and stores what became of it. stored waits
// for it, and tells why it could not be.
func (s *Session) transmit(ctx context.Context, out outgoing, msg messages.Message, stored func() error) (instances.Sent, error) {
	var answer whatsmeow.SendResponse
	err := out.a.guard.SendWhen(ctx, out.to, stored, func(ctx context.Context) (err error) {
		answer, err = out.a.client.SendMessage(ctx, out.to, out.message,
			whatsmeow.SendRequestExtra{ID: msg.ID, Timeout: ackTimeout, MediaHandle: out.handle})
		return err
	})
	if err != nil {
		if err := stored(); err != nil {
			return instances.Sent{}, s.notSaved(err)
		}
		s.log.Warn("send failed", "error", scrub(err.Error()))
		err = s.sendFault(err)
		why := fault.MessageOf(err)
		told := statusEvents(msg, messages.NotSent, time.Now(), why)
		s.outcome(func(over func(error)) { over(s.messages.Failed(s.ctx, msg.Chat, msg.ID, why, told...)) })
		return instances.Sent{}, err
	}
	told := statusEvents(msg, messages.SentOut, answer.Timestamp, "")
	at := answer.Timestamp
	if at.Equal(msg.At) { // as most are
		at = time.Time{}
	}
	s.outcome(func(over func(error)) { s.messages.Acknowledged(msg.Chat, msg.ID, at, over, told...) })
	return instances.Sent{ID: msg.ID, Chat: msg.Chat, At: answer.Timestamp}, nil
}

// outcome stores what became of a message, for which nobody waits. While the database server is
// away or the disk is full, it tries again: else the message would be called failed after the
// next start.
func (s *Session) outcome(write func(over func(error))) {
	write(func(err error) {
		if passing(err) {
			s.beside.Go(func() {
				s.logNotStored(s.persist(s.ctx, func() error {
					done := make(chan error, 1)
					write(func(err error) { done <- err })
					return <-done
				}))
			})
			return
		}
		s.logNotStored(err)
	})
}

func (s *Session) logNotStored(err error) {
	if err != nil {
		s.log.Error("what became of a message was not stored", "error", err)
	}
}

func (s *Session) sendFault(err error) error {
	var gone *whatsmeow.DisconnectedError
	switch {
	case errors.Is(err, whatsmeow.ErrServerReturnedError) && strings.HasSuffix(err.Error(), " 463"):
		text := "WhatsApp refused this message (463). Either this number may not begin new conversations for a while, or this recipient takes no messages from people they do not know. Replies in open conversations still work; wait for the recipient to write first, and send nothing in bulk."
		if s.Report().Reason == instances.ReachOutLimit {
			text = "WhatsApp lets this number begin no new conversations for a while (463). Replies in open conversations still work."
		}
		return fault.Wrap(fault.Throttled, text, errors.Join(ErrReachOut, err))
	case errors.Is(err, whatsmeow.ErrServerReturnedError):
		text := err.Error()
		code, _ := strconv.Atoi(text[strings.LastIndex(text, " ")+1:])
		if code == http.StatusTooManyRequests || code >= http.StatusInternalServerError { // not about this message
			return refusal(&whatsmeow.IQError{Code: code})
		}
		return fault.Wrap(fault.Conflict, fmt.Sprintf("WhatsApp's server refused this message (%d).", code), err)
	case strings.Contains(err.Error(), "no LID found for"): // which has no type
		return fault.Wrap(fault.Invalid, "This phone number is not on WhatsApp. Check the country code and the digits.", err)
	case errors.Is(err, whatsmeow.ErrNoPushName):
		return fault.Wrap(fault.Conflict, "WhatsApp has not told yet what this account is called, which has to be known before. Try again in a minute.", err)
	case errors.Is(err, whatsmeow.ErrUnknownServer), errors.Is(err, whatsmeow.ErrBroadcastListUnsupported),
		errors.Is(err, whatsmeow.ErrRecipientADJID):
		return fault.Wrap(fault.Invalid, "Messages cannot be sent to this kind of address.", err)
	case errors.Is(err, whatsmeow.ErrNotInGroup), errors.Is(err, whatsmeow.ErrGroupNotFound):
		return fault.Wrap(fault.NotFound, "This number is not in that group.", err)
	case errors.As(err, &gone), errors.Is(err, whatsmeow.ErrNotConnected), errors.Is(err, whatsmeow.ErrNotLoggedIn):
		return fault.Wrap(fault.Unavailable, "The connection to WhatsApp broke while sending, so the message probably did not go out.", err)
	case errors.Is(err, serial.ErrUnreached):
		return fault.Wrap(fault.Unavailable, "WhatsApp did not give out the keys of this recipient, so the message was not sent. Try again in a minute.", err)
	case errors.Is(err, whatsmeow.ErrMessageTimedOut), errors.Is(err, whatsmeow.ErrIQTimedOut), errors.Is(err, context.DeadlineExceeded):
		return fault.Wrap(fault.Unavailable, "WhatsApp did not confirm the message in time. It may or may not have gone out.", err)
	}
	if answer, ok := errors.AsType[*whatsmeow.IQError](err); ok {
		return fault.Wrap(fault.Conflict, "WhatsApp's server refused this.", answer)
	}
	return err
}

// registered makes sure that a phone number nothing is known of yet is on WhatsApp, and
// returns the address that WhatsApp has for it: in some countries it differs from what is
// dialled. Where WhatsApp does not say, jid comes back as it is.
func (a *account) registered(ctx context.Context, jid types.JID) (types.JID, error) {
	if jid.Server != types.DefaultUserServer {
		return jid, nil
	}
	if lid, err := a.device.LIDs.GetLIDForPN(ctx, jid); err == nil && !lid.IsEmpty() {
		return jid, nil
	}
	found, err := a.client.IsOnWhatsApp(ctx, []string{"+" + jid.User})
	if err != nil || len(found) == 0 {
		return jid, nil
	}
	if !found[0].IsIn {
		return types.EmptyJID, fault.InField("to", "This phone number is not on WhatsApp. Check the country code and the digits.")
	}
	for _, j := range []types.JID{found[0].PhoneNumber, found[0].JID} {
		if j.Server == types.DefaultUserServer {
			return j.ToNonAD(), nil
		}
	}
	return jid, nil
}

// messageForRetry finds what was sent, for a device that could not read it, also after a
// restart. It waits while the database server is away: nobody asks twice.
func (s *Session) messageForRetry(_, to types.JID, id types.MessageID) *waE2E.Message {
	var found *waE2E.Message
	err := s.persist(s.ctx, func() error {
		stored, lid := s.current().forms(s.ctx, to, types.EmptyJID)
		for _, chat := range []string{stored, lid} {
			raw, err := s.messages.SentRaw(s.ctx, chat, id)
			if err != nil {
				return err
			}
			var m waE2E.Message
			if raw != nil && proto.Unmarshal(raw, &m) == nil {
				found = &m
				return nil
			}
		}
		return nil
	})
	if err != nil {
		s.log.Error("sent message not read", "error", err)
	}
	return found
}

// recentMessages is how many messages whatsmeow remembers, as protobufs.
const recentMessages = 256

// Forget drops what whatsmeow remembers of the messages sent last, for devices that cannot
// read them. They are stored, and one that is asked for later comes from there.
func (s *Session) Forget() {
	client := s.current().client.DangerousInternals() //nolint:staticcheck // SA1019: the public ways only add
	for range recentMessages {
		_ = client.AddRecentMessage(s.ctx, types.EmptyJID, "", nil, nil) // which is nobody's
	}
}
