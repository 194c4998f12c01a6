package whatsapp

import (
	"context"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"switchboard/fault"
)

// Outcome is what became of one person in a change of a group.
type Outcome struct {
	Participant string `json:"participant"` // the phone number's address where it is known
	Status      string `json:"status"`      // success or error
	Message     string `json:"message"`
}

// Failed says that this one's change was refused.
func (o Outcome) Failed() bool { return o.Status != "success" }

// JoinRequest is somebody who asks to be let into a group.
type JoinRequest struct {
	JID         string    `json:"jid"`
	PhoneNumber string    `json:"phone_number"`
	DisplayName string    `json:"display_name"`
	RequestedAt time.Time `json:"requested_at"`
	LID         string    `json:"lid,omitempty"`
}

// The changes of a group's members.
const (
	AddMembers     = string(whatsmeow.ParticipantChangeAdd)
	RemoveMembers  = string(whatsmeow.ParticipantChangeRemove)
	PromoteMembers = string(whatsmeow.ParticipantChangePromote)
	DemoteMembers  = string(whatsmeow.ParticipantChangeDemote)
)

var done = map[string]string{
	AddMembers: "Participant added", RemoveMembers: "Participant removed",
	PromoteMembers: "Participant promoted to admin", DemoteMembers: "Participant is no longer an admin",
	string(whatsmeow.ParticipantChangeApprove): "Request approved", string(whatsmeow.ParticipantChangeReject): "Request rejected",
}

// ChangeMembers adds, removes, promotes or demotes people, and says of each what became of it.
func (s *Session) ChangeMembers(ctx context.Context, id, change string, persons []string) (out []Outcome, err error) {
	wanted, err := people("participants", persons)
	if err != nil {
		return nil, err
	}
	if len(wanted) == 0 {
		return nil, fault.InField("participants", "participants: cannot be blank.")
	}
	err = s.inGroup(ctx, id, func(ctx context.Context, a *account, jid types.JID) error {
		if change == AddMembers {
			wanted, out, err = a.reachable(ctx, wanted)
		} else {
			wanted, out, err = a.within(ctx, jid, wanted)
		}
		if err != nil || len(wanted) == 0 {
			return err
		}
		answers, err := a.client.UpdateGroupParticipants(ctx, jid, wanted, whatsmeow.ParticipantChange(change))
		if err != nil {
			return err
		}
		out = append(out, a.outcomes(ctx, change, answers)...)
		return nil
	})
	return out, err
}

// reachable parts persons in those who have an account and the others.
func (a *account) reachable(ctx context.Context, wanted []types.JID) (there []types.JID, out []Outcome, err error) {
	there, gone, err := a.sift(ctx, wanted)
	for _, jid := range gone {
		out = append(out, Outcome{jid.String(), "error", fault.MessageOf(notOnWhatsApp("participants", "+"+jid.User))})
	}
	return there, out, err
}

// within finds persons among a group's members, in the form that the group uses for them.
func (a *account) within(ctx context.Context, group types.JID, wanted []types.JID) (there []types.JID, out []Outcome, err error) {
	info, err := a.client.GetGroupInfo(ctx, group)
	if err != nil {
		return nil, nil, err
	}
	in := map[types.JID]types.JID{}
	for _, m := range info.Participants {
		in[m.JID.ToNonAD()], in[m.PhoneNumber.ToNonAD()], in[m.LID.ToNonAD()] = m.JID, m.JID, m.JID
	}
	for _, jid := range wanted {
		if member, ok := in[jid]; ok {
			there = append(there, member)
			continue
		}
		out = append(out, Outcome{jid.String(), "error", "This person is not in the group."})
	}
	return there, out, nil
}

// outcomes reads WhatsApp's answers.
func (a *account) outcomes(ctx context.Context, change string, answers []types.GroupParticipant) []Outcome {
	var out []Outcome
	for _, p := range answers {
		who, _ := a.forms(ctx, p.JID, otherOf(p))
		o := Outcome{Participant: who, Status: "success", Message: done[change]}
		switch {
		case p.Error == 0:
		case p.Error == 403 && p.AddRequest != nil:
			o.Status, o.Message = "error", "This person's privacy settings do not let them be added. Send them the invite link instead."
		case p.Error == 403:
			o.Status, o.Message = "error", "WhatsApp does not allow this with this person."
		case p.Error == 404:
			o.Status, o.Message = "error", "This person is not there."
		case p.Error == 408:
			o.Status, o.Message = "error", "This person left the group a short while ago and cannot be added yet. Send them the invite link instead."
		case p.Error == 409:
			o.Status, o.Message = "error", "This person is in the group already."
		default:
			o.Status, o.Message = "error", refusal(&whatsmeow.IQError{Code: p.Error}).Error()
		}
		out = append(out, o)
	}
	return out
}

// otherOf is the form of a member's address that JID is not.
func otherOf(p types.GroupParticipant) types.JID {
	if p.JID.Server == types.HiddenUserServer {
		return p.PhoneNumber
	}
	return p.LID
}

// JoinRequests lists who asks to be let into a group.
func (s *Session) JoinRequests(ctx context.Context, id string) (out []JoinRequest, err error) {
	err = s.inGroup(ctx, id, func(ctx context.Context, a *account, jid types.JID) error {
		asked, err := a.client.GetGroupRequestParticipants(ctx, jid)
		if err != nil {
			return err
		}
		out = make([]JoinRequest, len(asked))
		for i, r := range asked {
			pn, lid := a.forms(ctx, r.JID, types.EmptyJID)
			out[i] = JoinRequest{JID: pn, LID: lid, DisplayName: a.nameOf(ctx, r.JID), RequestedAt: r.RequestedAt.UTC()}
			out[i].PhoneNumber = number(pn)
		}
		return nil
	})
	return out, err
}

// Decide lets people in who asked, or not.
func (s *Session) Decide(ctx context.Context, id string, persons []string, approve bool) (out []Outcome, err error) {
	wanted, err := people("participants", persons)
	if err != nil {
		return nil, err
	}
	if len(wanted) == 0 {
		return nil, fault.InField("participants", "participants: cannot be blank.")
	}
	change := whatsmeow.ParticipantChangeReject
	if approve {
		change = whatsmeow.ParticipantChangeApprove
	}
	err = s.inGroup(ctx, id, func(ctx context.Context, a *account, jid types.JID) error {
		asked, err := a.client.GetGroupRequestParticipants(ctx, jid)
		if err != nil {
			return err
		}
		in := map[string]types.JID{}
		for _, r := range asked {
			pn, lid := a.forms(ctx, r.JID, types.EmptyJID)
			in[pn], in[lid], in[r.JID.ToNonAD().String()] = r.JID, r.JID, r.JID
		}
		var there []types.JID
		for _, w := range wanted {
			if jid, ok := in[w.String()]; ok {
				there = append(there, jid)
				continue
			}
			out = append(out, Outcome{w.String(), "error", "This person does not ask to be let in."})
		}
		if len(there) == 0 {
			return nil
		}
		answers, err := a.client.UpdateGroupRequestParticipants(ctx, jid, there, change)
		if err != nil {
			return err
		}
		out = append(out, a.outcomes(ctx, string(change), answers)...)
		return nil
	})
	return out, err
}
