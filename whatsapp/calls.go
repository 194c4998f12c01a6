package whatsapp

import (
	"context"
	"strings"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"switchboard/fault"
)

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
