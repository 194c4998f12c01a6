package whatsapp

import (
	"context"
	"sync"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"switchboard/messages"
)

// whatsmeow handles what comes in one after the other, and acknowledges it when its handler
// returns. A receipt that is stored meanwhile would have the next one wait, so that each had a
// transaction of its own; and there is one for each message that goes out. So receipts of chats
// with one person gather, and are acknowledged from here once they are stored.

// hostedDevice is the number of a device that runs at WhatsApp's, whose address whatsmeow writes
// in another way than it came.
const hostedDevice = 99

// alone says whether a receipt is one of a person, for which an acknowledgement can be made of
// what the event tells.
func alone(e *events.Receipt) bool {
	step, _ := stepOf(e.Type)
	person := e.Chat.Server == types.DefaultUserServer || e.Chat.Server == types.HiddenUserServer
	return person && !e.IsGroup && !e.IsFromMe && e.Sender.ToNonAD() == e.Chat && e.Sender.Device != hostedDevice &&
		!e.Sender.IsBot() && len(e.MessageIDs) > 0 && step != ""
}

// acknowledgement is for whatsmeow the node that a receipt came as, as far as it is told in
// the answer.
func acknowledgement(e *events.Receipt) *waBinary.Node {
	attrs := waBinary.Attrs{"id": e.MessageIDs[0], "from": e.Sender}
	if e.Type != "" {
		attrs["type"] = string(e.Type)
	}
	if !e.MessageSender.IsEmpty() {
		attrs["recipient"] = e.MessageSender
	}
	return &waBinary.Node{Tag: "receipt", Attrs: attrs}
}

// stepOf is how far a message got of which a receipt of that type tells, "" if it tells
// something else, and what the type is called in an event, "" if there is none of it.
func stepOf(kind types.ReceiptType) (messages.Step, string) {
	switch kind {
	case types.ReceiptTypeDelivered, types.ReceiptTypeInactive:
		return messages.GotIt, "delivered"
	case types.ReceiptTypeRead:
		return messages.ReadIt, "read"
	case types.ReceiptTypePlayed:
		return messages.PlayedIt, "played"
	case types.ReceiptTypeReadSelf, types.ReceiptTypePlayedSelf:
		return "", string(kind)
	}
	return "", ""
}

// receipt notes how far messages from here got, and that the owner read some elsewhere.
func (s *Session) receipt(ctx context.Context, a *account, e *events.Receipt) error {
	step, kind := stepOf(e.Type)
	if kind == "" || e.IsFromMe && step == messages.GotIt { // by another device of this account
		return nil
	}
	r, told := a.received(ctx, e)
	if e.IsFromMe || step == "" {
		return s.messages.ChangeChat(ctx, r.Chat, messages.ChatChange{Unread: new(int)}, told...)
	}
	return s.messages.Receive(ctx, r, told...)
}

// received is a receipt as it is stored, and what subscribers get to know of it.
func (a *account) received(ctx context.Context, e *events.Receipt) (messages.Receipt, []messages.Event) {
	chat, lid := a.forms(ctx, e.Chat, e.SenderAlt)
	if e.IsGroup {
		chat, lid = e.Chat.String(), ""
	} else if e.IsFromMe {
		chat, lid = a.forms(ctx, e.Chat, e.RecipientAlt)
	}
	person, personLID := a.forms(ctx, e.Sender, e.SenderAlt)
	step, kind := stepOf(e.Type)
	r := messages.Receipt{Chat: chat, ChatLID: lid, Person: person, IDs: e.MessageIDs, Step: step, At: e.Timestamp, Whole: !e.IsGroup}
	return r, receiptEvents(kind, chat, lid, person, personLID, e.MessageIDs, e.Timestamp)
}

// receiveAlone has a receipt stored in a moment, and acknowledged when it is.
func (s *Session) receiveAlone(a *account, e *events.Receipt) {
	r, told := a.received(s.ctx, e)
	s.messages.ReceiveLater(r, func(err error) {
		if err == nil {
			s.acknowledge(a, e)
			return
		}
		s.beside.Go(func() { // in its own time, as any other event
			if passing(err) {
				err = s.persist(s.ctx, func() error { return s.messages.Receive(s.ctx, r, told...) })
			}
			if err != nil {
				s.notStored(e, err)
				return
			}
			s.acknowledge(a, e)
		})
	}, told...)
}

// acks are receipts that are stored and not acknowledged yet.
type acks struct {
	mu      sync.Mutex
	waiting []*events.Receipt
	sending bool
}

// acknowledge tells WhatsApp that a receipt is stored. It does not wait for the socket.
func (s *Session) acknowledge(a *account, e *events.Receipt) {
	q := &a.acks
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, e)
	if q.sending {
		return
	}
	q.sending = true
	s.spare.run(func() {
		for all := q.take(); len(all) > 0; all = q.take() {
			for _, e := range all {
				a.client.DangerousInternals().SendAck(s.ctx, acknowledgement(e), 0) //nolint:staticcheck // SA1019: whatsmeow itself can only wait
			}
		}
	})
}

// take returns what waits; nobody sends any more when that is nothing.
func (q *acks) take() []*events.Receipt {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := q.waiting
	q.waiting, q.sending = nil, len(all) > 0
	return all
}
