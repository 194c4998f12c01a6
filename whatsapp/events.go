package whatsapp

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"switchboard/messages"
)

// handle takes an event from whatsmeow. Messages and receipts are stored before it returns;
// false means that this failed and that WhatsApp has to deliver again. whatsmeow takes a
// panic for success, so none may get out.
func (s *Session) handle(a *account, evt any) (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("event handler panicked", "event", fmt.Sprintf("%T", evt),
				"panic", scrub(fmt.Sprint(p)), "stack", string(debug.Stack()))
			ok = false
		}
	}()
	if err := persist(s.ctx, func() error { return s.keep(a, evt) }); err != nil {
		if s.ctx.Err() == nil {
			s.log.Error("event not stored", "event", fmt.Sprintf("%T", evt), "error", err)
		}
		s.tell((*keeper).notStored)
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

// keep keeps what evt says about messages and people.
func (s *Session) keep(a *account, evt any) error {
	switch e := evt.(type) {
	case *events.Message:
		s.active.Store(time.Now().UnixNano())
		if msg, ok := s.translate(s.ctx, a, e); ok {
			return s.messages.Save(s.ctx, msg)
		}
	case *events.UndecryptableMessage:
		return s.messages.Save(s.ctx, s.placeholder(s.ctx, a, e))
	case *events.Receipt:
		return s.receipt(s.ctx, a, e)
	case *events.HistorySync:
		return s.history(s.ctx, a, e.Data)
	case *events.Contact:
		return s.known(a, e.JID, types.EmptyJID, messages.Person{Name: e.Action.GetFullName()})
	case *events.PushName:
		return s.known(a, e.JID, e.JIDAlt, messages.Person{PushName: e.NewPushName})
	case *events.BusinessName:
		return s.known(a, e.JID, types.EmptyJID, messages.Person{BusinessName: e.NewBusinessName})
	case *events.JoinedGroup:
		return s.messages.NameChat(s.ctx, e.JID.String(), e.GroupName.Name)
	case *events.GroupInfo:
		if e.Name != nil {
			return s.messages.NameChat(s.ctx, e.JID.String(), e.Name.Name)
		}
	}
	return nil
}

// known stores a name of a person.
func (s *Session) known(a *account, jid, alt types.JID, p messages.Person) error {
	pn, lid := a.forms(s.ctx, jid, alt)
	p.JID, p.LID = pn, lid
	return s.messages.SavePeople(s.ctx, []messages.Person{p})
}

// receipt notes how far messages from here got. In a group one reader is not all readers,
// so there they count as delivered at most.
func (s *Session) receipt(ctx context.Context, a *account, e *events.Receipt) error {
	if e.IsFromMe {
		return nil // of another device of this account
	}
	d := messages.Delivered
	switch e.Type {
	case types.ReceiptTypeDelivered, types.ReceiptTypeInactive:
	case types.ReceiptTypeRead, types.ReceiptTypePlayed:
		if !e.IsGroup {
			d = messages.Read
		}
	default:
		return nil
	}
	chat, lid := a.forms(ctx, e.Chat, e.SenderAlt)
	if e.IsGroup {
		chat, lid = e.Chat.String(), ""
	}
	if err := s.messages.SetDelivery(ctx, chat, e.MessageIDs, d); err != nil || lid == "" {
		return err
	}
	// Stored before the phone number was known.
	return s.messages.SetDelivery(ctx, lid, e.MessageIDs, d)
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
