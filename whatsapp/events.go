package whatsapp

import (
	"fmt"
	"runtime/debug"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"switchboard/messages"
)

// handle takes an event from whatsmeow. Messages and receipts are stored before it returns;
// false means that this failed and that WhatsApp has to deliver again, or that a receipt is
// not stored yet. whatsmeow takes a
// panic for success, so none may get out.
func (s *Session) handle(a *account, evt any) (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("event handler panicked", "event", fmt.Sprintf("%T", evt),
				"panic", scrub(fmt.Sprint(p)), "stack", string(debug.Stack()))
			ok = false
		}
	}()
	if e, is := evt.(*events.Receipt); is && alone(e) {
		s.receiveAlone(a, e)
		return false // it is acknowledged when it is stored
	}
	if e, is := evt.(*events.UndecryptableMessage); is && e.Info.Category == "peer" {
		return true // from the own phone to this device: keys, history, nothing that anybody wrote; it is asked for again
	}
	err := s.persist(s.ctx, func() error { return s.keep(a, evt) })
	if err == nil {
		err = s.outlast(evt)
	}
	if err != nil {
		s.notStored(evt, err)
		return false
	}
	if f := reaction(evt); f != nil {
		s.tell(func(k *keeper) {
			if k.a == a {
				f(k)
			}
		})
	}
	return true
}

// outlast returns when evt, which is stored, would survive a loss of power: what WhatsApp will not
// deliver again, and a pairing. All else is worth less than the time that a disk takes.
func (s *Session) outlast(evt any) error {
	sync := s.sync
	switch evt.(type) {
	case *events.Message, *events.UndecryptableMessage, *events.CallOffer, *events.CallOfferNotice:
	case *events.PairSuccess:
		sync = s.syncKeys
	default:
		return nil
	}
	if sync == nil {
		return nil
	}
	return sync()
}

// notStored says that an event could not be stored, and has WhatsApp deliver it again.
func (s *Session) notStored(evt any, err error) {
	if s.ctx.Err() == nil {
		s.log.Error("event not stored", "event", fmt.Sprintf("%T", evt), "error", err)
	}
	s.tell((*keeper).notStored)
}

// keep keeps what evt says about messages, chats and people, together with what subscribers
// get to know of it.
func (s *Session) keep(a *account, evt any) error {
	switch e := evt.(type) {
	case *events.Message:
		s.active.Store(time.Now().UnixNano())
		p := e.Message.GetProtocolMessage()
		if n := p.GetHistorySyncNotification(); n != nil && e.Info.IsFromMe {
			return s.historyCame(a, e.Info.ID, n)
		}
		if p.GetType() == waE2E.ProtocolMessage_EPHEMERAL_SETTING {
			return s.expires(s.ctx, a, e.Info.Chat, time.Duration(p.GetEphemeralExpiration())*time.Second)
		}
		if msg, ok := s.translate(s.ctx, a, e); ok {
			s.chooseMedia(&msg)
			told := append(s.messageEvents(s.ctx, a, e, msg), s.earlyEvents(s.ctx, a, e, msg)...)
			if err := s.messages.Save(s.ctx, msg, told...); err != nil {
				return err
			}
			if msg.Media != nil && msg.Media.State == messages.Waiting {
				s.fetch.nudge()
			}
			s.noteArrival(a, e, msg)
		}
	case *events.UndecryptableMessage:
		msg := s.placeholder(s.ctx, a, e)
		return s.messages.Save(s.ctx, msg, undecryptableEvents(msg)...)
	case *events.Receipt:
		return s.receipt(s.ctx, a, e)
	case *events.MediaRetry:
		return s.phoneGave(s.ctx, a, e)
	case *events.Contact:
		return s.known(a, e.JID, types.EmptyJID, messages.Person{Name: e.Action.GetFullName()})
	case *events.PushName:
		return s.known(a, e.JID, e.JIDAlt, messages.Person{PushName: e.NewPushName})
	case *events.BusinessName:
		return s.known(a, e.JID, types.EmptyJID, messages.Person{BusinessName: e.NewBusinessName})
	case *events.JoinedGroup, *events.GroupInfo:
		return s.keepGroup(a, evt)
	case *events.CallOffer, *events.CallOfferNotice, *events.CallAccept, *events.CallReject, *events.CallTerminate:
		return s.keepCall(a, evt)
	case *events.ChatPresence, *events.NewsletterJoin, *events.NewsletterLeave, *events.NewsletterMuteChange, *events.NewsletterLiveUpdate:
		return s.messages.Emit(s.ctx, s.passing(a, evt)...)
	case *events.Connected:
		s.announcePresence(a)
		s.learnGroups(a)
		s.askForUnreadable(a)
	case *events.PushNameSetting:
		s.announcePresence(a)
	default:
		return s.keepState(a, evt)
	}
	return nil
}

// known stores a name of a person.
func (s *Session) known(a *account, jid, alt types.JID, p messages.Person) error {
	pn, lid := a.forms(s.ctx, jid, alt)
	p.JID, p.LID = pn, lid
	return s.messages.SavePeople(s.ctx, []messages.Person{p})
}

// reaction returns what an event means for the connection, nil if nothing.
func reaction(evt any) func(*keeper) {
	switch e := evt.(type) {
	case *events.QR:
		return func(k *keeper) { k.codes(e.Codes) }
	case *events.RotateADVSecret:
		return func(k *keeper) { k.rotate(e) }
	case *events.PairPasskeyRequest:
		return func(k *keeper) { k.wantPasskey(e.PublicKey) }
	case *events.PairPasskeyConfirmation:
		return func(k *keeper) { k.comparePasskey(e) }
	case *events.PairPasskeyError:
		return func(k *keeper) { k.rejected(e.Error) }
	case *events.PairError:
		return func(k *keeper) { k.rejected(e.Error) }
	case *events.PairSuccess:
		return (*keeper).paired
	case *events.ManualLoginReconnect:
		return (*keeper).restart
	case *events.Connected:
		return (*keeper).connected
	case *events.Disconnected:
		return (*keeper).disconnected
	case *events.LoggedOut:
		return func(k *keeper) { k.loggedOut(loggedOutReason(e)) }
	case *events.StreamReplaced:
		return (*keeper).replaced
	case *events.TemporaryBan:
		return func(k *keeper) { k.banned(e) }
	case *events.ClientOutdated:
		return (*keeper).outdated
	case *events.ConnectFailure:
		return func(k *keeper) { k.refused(int(e.Reason)) }
	case *events.StreamError:
		// An error ends a stream; whatsmeow only waits for the server to hang up.
		return func(k *keeper) { k.network.cut() }
	case *events.NotifyAccountReachoutTimelock:
		return func(k *keeper) { k.limit(e.IsActive, e.TimeEnforcementEnds.Time) }
	case *events.PushNameSetting:
		return func(k *keeper) { k.rename(e.Action.GetName()) }
	case *events.QRScannedWithoutMultidevice:
		return func(k *keeper) { k.log.Warn("the phone that scanned the code cannot link devices yet") }
	}
	return nil
}
