package phone

import (
	"context"
	"fmt"
	"slices"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"switchboard/fault"
)

// Call is a call as a phone shows it. Nothing can be said in one.
type Call struct {
	ID     string `json:"id"`
	With   string `json:"with"` // number
	FromMe bool   `json:"from_me"`
	State  string `json:"state"` // ringing, rejected, ended
}

// maxCalls is how many calls a phone remembers.
const maxCalls = 50

// Call begins to call somebody.
func (p *Phone) Call(ctx context.Context, to string) (Call, error) {
	jid, err := p.address(to)
	if err != nil || jid.Server != types.DefaultUserServer {
		return Call{}, fault.InField("to", "Give the phone number to call.")
	}
	if err := p.ready(ctx); err != nil {
		return Call{}, err
	}
	c := Call{ID: p.client.GenerateMessageID(), With: jid.User, FromMe: true, State: "ringing"}
	p.noteCall(c)
	if err := p.sendCall(ctx, jid, "offer", c.ID, waBinary.Node{Tag: "audio", Attrs: waBinary.Attrs{"enc": "opus", "rate": "16000"}}); err != nil {
		p.noteCall(Call{c.ID, c.With, true, "ended"})
		return Call{}, err
	}
	return c, nil
}

// EndCall hangs up a call of the phone's own, or turns down somebody else's.
func (p *Phone) EndCall(ctx context.Context, id string) error {
	p.mu.Lock()
	at := slices.IndexFunc(p.calls, func(c Call) bool { return c.ID == id && c.State == "ringing" })
	if at < 0 {
		p.mu.Unlock()
		return fault.New(fault.NotFound, "This call does not ring.")
	}
	c := p.calls[at]
	p.mu.Unlock()
	what, state := "reject", "rejected"
	if c.FromMe {
		what, state = "terminate", "ended"
	}
	if err := p.sendCall(ctx, types.NewJID(c.With, types.DefaultUserServer), what, id); err != nil {
		return err
	}
	c.State = state
	p.noteCall(c)
	return nil
}

// sendCall sends a stanza about a call and waits until the network has taken it.
func (p *Phone) sendCall(ctx context.Context, to types.JID, what, id string, content ...waBinary.Node) error {
	raw := p.client.DangerousInternals()
	stanza := p.client.GenerateMessageID()
	answer := raw.WaitResponse(stanza)
	inner := waBinary.Node{Tag: what, Attrs: waBinary.Attrs{"call-id": id, "call-creator": *p.client.Store.ID}}
	if len(content) > 0 {
		inner.Content = content
	}
	err := raw.SendNode(ctx, waBinary.Node{
		Tag: "call", Attrs: waBinary.Attrs{"id": stanza, "to": to}, Content: []waBinary.Node{inner},
	})
	if err != nil {
		raw.CancelResponse(stanza, answer)
		return fmt.Errorf("send a call: %w", err)
	}
	select {
	case ack := <-answer:
		if ack == nil || ack.AttrGetter().OptionalInt("error") != 0 {
			return fault.New(fault.NotFound, "The network did not pass this call on: there is nobody, or it does not ring.")
		}
		return nil
	case <-ctx.Done():
		raw.CancelResponse(stanza, answer)
		return ctx.Err()
	}
}

// noteCall remembers how a call stands and wakes the watchers.
func (p *Phone) noteCall(c Call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at := slices.IndexFunc(p.calls, func(old Call) bool { return old.ID == c.ID }); at >= 0 {
		p.calls[at] = c
	} else {
		p.calls = append(p.calls, c)
		p.calls = p.calls[max(0, len(p.calls)-maxCalls):]
	}
	p.wake()
}

// called takes what others do about calls.
func (p *Phone) called(ctx context.Context, event any) {
	var meta types.BasicCallMeta
	state := "ended"
	switch e := event.(type) {
	case *events.CallOffer:
		meta, state = e.BasicCallMeta, "ringing"
	case *events.CallReject:
		meta, state = e.BasicCallMeta, "rejected"
	case *events.CallTerminate:
		meta = e.BasicCallMeta
	default:
		return
	}
	with := p.person(ctx, meta.From)
	p.mu.Lock()
	for _, old := range p.calls {
		if old.ID == meta.CallID {
			with = old.With
		}
	}
	p.mu.Unlock()
	creator := p.person(ctx, meta.CallCreator, meta.CallCreatorAlt)
	if creator != p.number {
		with = creator
	}
	p.noteCall(Call{ID: meta.CallID, With: with, FromMe: creator == p.number, State: state})
}
