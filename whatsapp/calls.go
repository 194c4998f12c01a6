package whatsapp

import (
	"context"
	"strings"
	"sync"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"switchboard/fault"
)

// calls remembers in which form of their addresses the latest callers call: an answer has to
// use the same.
type calls struct {
	mu   sync.Mutex
	from map[string]types.JID // by the call's id
}

// maxCalls is how many ring at the same time, at most.
const maxCalls = 32

func (c *calls) ring(id string, from types.JID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.from == nil || len(c.from) >= maxCalls {
		c.from = map[string]types.JID{}
	}
	c.from[id] = from.ToNonAD()
}

// caller returns the form of an address in which its owner calls.
func (a *account) caller(ctx context.Context, id string, jid types.JID) types.JID {
	a.calls.mu.Lock()
	from, ok := a.calls.from[id]
	a.calls.mu.Unlock()
	if !ok {
		return jid
	}
	pn, lid := a.forms(ctx, jid, types.EmptyJID)
	if own := from.String(); own == pn || own == lid {
		return from
	}
	return jid
}

// RejectCall turns a call down that is ringing, and returns when WhatsApp's server has taken
// it. caller is who calls, id the call's.
func (s *Session) RejectCall(ctx context.Context, caller, id string) error {
	jid, err := person("caller_jid", caller)
	if err != nil {
		return err
	}
	if id = strings.TrimSpace(id); id == "" || len(id) > 100 || strings.ContainsAny(id, " \n") {
		return fault.InField("call_id", "call_id: cannot be blank.")
	}
	return s.with(ctx, func(ctx context.Context, a *account) error {
		jid = a.caller(ctx, id, jid)
		own := a.jid().ToNonAD()
		if jid.Server == types.HiddenUserServer {
			own = a.device.GetLID().ToNonAD()
		}
		raw := a.client.DangerousInternals() //nolint:staticcheck // RejectCall would not wait for the server's answer
		stanza := a.client.GenerateMessageID()
		answer := raw.WaitResponse(stanza)
		err := raw.SendNode(ctx, waBinary.Node{
			Tag:   "call",
			Attrs: waBinary.Attrs{"id": stanza, "from": own, "to": jid},
			Content: []waBinary.Node{{
				Tag: "reject", Attrs: waBinary.Attrs{"call-id": id, "call-creator": jid, "count": "0"},
			}},
		})
		if err != nil {
			raw.CancelResponse(stanza, answer)
			return err
		}
		select {
		case ack := <-answer:
			if ack == nil || ack.Tag != "ack" {
				return whatsmeow.ErrNotConnected
			}
			if ack.AttrGetter().OptionalInt("error") != 0 {
				return fault.New(fault.NotFound, "This call is not ringing any more.")
			}
			return nil
		case <-ctx.Done():
			raw.CancelResponse(stanza, answer)
			return ctx.Err()
		}
	})
}
