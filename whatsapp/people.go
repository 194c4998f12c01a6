package whatsapp

import (
	"context"
	"time"

	"go.mau.fi/whatsmeow/types"

	"switchboard/messages"
)

// forms returns an address in the form in which it is stored, and its hidden form. A person
// has a phone-number form and a hidden one (LID), and WhatsApp uses either; stored is the
// phone number where it is known. alt is the other form if WhatsApp told it, else empty.
func (a *account) forms(ctx context.Context, jid, alt types.JID) (stored, lid string) {
	jid, alt = plainJID(jid), plainJID(alt)
	if jid.IsEmpty() {
		return "", ""
	}
	var pn, hidden types.JID
	switch jid.Server {
	case types.HiddenUserServer:
		hidden, pn = jid, alt
		if pn.Server != types.DefaultUserServer {
			pn, _ = a.device.LIDs.GetPNForLID(ctx, hidden) // not knowing it is no failure
		}
	case types.DefaultUserServer:
		pn, hidden = jid, alt
		if hidden.Server != types.HiddenUserServer {
			hidden, _ = a.device.LIDs.GetLIDForPN(ctx, pn)
		}
	default:
		return jid.String(), ""
	}
	if !hidden.IsEmpty() {
		lid = hidden.ToNonAD().String()
	}
	if pn.IsEmpty() {
		return lid, lid
	}
	return pn.ToNonAD().String(), lid
}

// plainJID takes the device off, and the older and the hosted names of the same server.
func plainJID(jid types.JID) types.JID {
	jid = jid.ToNonAD()
	switch jid.Server {
	case types.LegacyUserServer, types.HostedServer:
		jid.Server = types.DefaultUserServer
	case types.HostedLIDServer:
		jid.Server = types.HiddenUserServer
	}
	return jid
}

// is tells whether an address is this account's own, in either form.
func (a *account) is(jid types.JID) bool {
	jid = plainJID(jid)
	return jid == a.jid().ToNonAD() || jid == a.device.GetLID().ToNonAD()
}

// stored is what WhatsApp tells of a group, as it is stored.
func (a *account) stored(ctx context.Context, g *types.GroupInfo) messages.GroupInfo {
	out := messages.GroupInfo{
		JID: g.JID.ToNonAD().String(), Name: g.Name, Topic: g.Topic, CreatedAt: g.GroupCreated,
		Announce: g.IsAnnounce, Locked: g.IsLocked, Ephemeral: time.Duration(g.DisappearingTimer) * time.Second,
	}
	out.Owner, _ = a.forms(ctx, g.OwnerJID, g.OwnerPN)
	for _, p := range g.Participants {
		role := ""
		switch {
		case p.IsSuperAdmin:
			role = "superadmin"
		case p.IsAdmin:
			role = "admin"
		}
		alt := p.PhoneNumber
		if p.JID.Server != types.HiddenUserServer {
			alt = p.LID
		}
		jid, lid := a.forms(ctx, p.JID, alt)
		out.Members = append(out.Members, messages.Member{JID: jid, LID: lid, Role: role})
	}
	return out
}
