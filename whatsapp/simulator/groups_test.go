//go:build !race

package simulator_test

import (
	"errors"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"switchboard/whatsapp/simulator/phone"
)

func TestGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada, bob, cleo := w.phone("Ada"), w.phone("Bob"), w.phone("Cleo")
	a, b := w.pair(ada), w.pair(bob)
	info, err := a.CreateGroup(w.ctx, whatsmeow.ReqCreateGroup{Name: "Choir", Participants: []types.JID{pn(bob.Number())}})
	must(t, err)
	if info.Name != "Choir" || info.AddressingMode != types.AddressingModeLID || len(info.Participants) != 2 || info.OwnerPN != pn(ada.Number()) {
		t.Errorf("created %+v", info)
	}
	if joined := wait[*events.JoinedGroup](b, 0, nil); joined.JID != info.JID || joined.Type != "new" || joined.Name != "Choir" {
		t.Errorf("Bob joined %+v", joined)
	}

	a.send(w.ctx, info.JID, "first song")
	got := wait(b, 0, hasText("first song")).Info
	if got.Chat != info.JID || got.Sender != a.Store.GetLID() || got.SenderAlt.User != ada.Number() {
		t.Errorf("Bob's client shows %+v", got.MessageSource)
	}
	_, err = bob.WaitFor(w.ctx, 0, func(e phone.Entry) bool { return e.Text == "first song" && e.Chat == info.JID.String() })
	must(t, err)
	_, err = ada.WaitFor(w.ctx, 0, func(e phone.Entry) bool { return e.Text == "first song" && e.FromMe })
	must(t, err)
	receipt := wait(a, 0, func(r *events.Receipt) bool { return r.Chat == info.JID && r.Type == types.ReceiptTypeDelivered })
	if receipt.Sender.User != b.Store.GetLID().User {
		t.Errorf("receipt from %v", receipt.MessageSource)
	}

	// Cleo comes, is heard, becomes an admin, and goes.
	_, err = a.UpdateGroupParticipants(w.ctx, info.JID, []types.JID{pn(cleo.Number())}, whatsmeow.ParticipantChangeAdd)
	must(t, err)
	wait(b, 0, func(g *events.GroupInfo) bool { return len(g.Join) == 1 })
	_, err = cleo.SendText(w.ctx, info.JID.String(), "may I?")
	must(t, err)
	wait(b, 0, hasText("may I?"))
	b.send(w.ctx, info.JID, "you may")
	_, err = cleo.WaitFor(w.ctx, 0, func(e phone.Entry) bool { return e.Text == "you may" })
	must(t, err)

	cleoLID := w.Devices(cleo.Number())[0].LID
	if _, err = b.UpdateGroupParticipants(w.ctx, info.JID, []types.JID{cleoLID}, whatsmeow.ParticipantChangePromote); !errors.Is(err, whatsmeow.ErrIQForbidden) {
		t.Errorf("a member promoted: %v", err)
	}
	_, err = a.UpdateGroupParticipants(w.ctx, info.JID, []types.JID{cleoLID}, whatsmeow.ParticipantChangePromote)
	must(t, err)
	wait(b, 0, func(g *events.GroupInfo) bool { return len(g.Promote) == 1 && g.Promote[0] == cleoLID })
	_, err = a.UpdateGroupParticipants(w.ctx, info.JID, []types.JID{cleoLID}, whatsmeow.ParticipantChangeDemote)
	must(t, err)
	_, err = a.UpdateGroupParticipants(w.ctx, info.JID, []types.JID{cleoLID}, whatsmeow.ParticipantChangeRemove)
	must(t, err)
	wait(b, 0, func(g *events.GroupInfo) bool { return len(g.Leave) == 1 && g.Leave[0] == cleoLID })
	a.send(w.ctx, info.JID, "among ourselves")
	wait(b, 0, hasText("among ourselves"))
	if groups, err := cleo.Groups(w.ctx); err != nil || len(groups) != 0 {
		t.Errorf("Cleo's groups: %v, %v", groups, err)
	}
}

func TestGroupSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada, bob := w.phone("Ada"), w.phone("Bob")
	a, b := w.pair(ada), w.pair(bob)
	info, err := a.CreateGroup(w.ctx, whatsmeow.ReqCreateGroup{Name: "Choir", Participants: []types.JID{pn(bob.Number())}})
	must(t, err)
	g := info.JID
	wait[*events.JoinedGroup](b, 0, nil)

	must(t, b.SetGroupName(w.ctx, g, "Big Choir"))
	wait(a, 0, func(e *events.GroupInfo) bool { return e.Name != nil && e.Name.Name == "Big Choir" })
	must(t, a.SetGroupTopic(w.ctx, g, "", "", "Tuesdays"))
	wait(b, 0, func(e *events.GroupInfo) bool { return e.Topic != nil && e.Topic.Topic == "Tuesdays" })
	must(t, a.SetGroupLocked(w.ctx, g, true))
	wait(b, 0, func(e *events.GroupInfo) bool { return e.Locked != nil && e.Locked.IsLocked })
	if err := b.SetGroupName(w.ctx, g, "Bob's"); !errors.Is(err, whatsmeow.ErrIQForbidden) {
		t.Errorf("a member renamed a locked group: %v", err)
	}
	must(t, a.SetGroupAnnounce(w.ctx, g, true))
	wait(b, 0, func(e *events.GroupInfo) bool { return e.Announce != nil && e.Announce.IsAnnounce })
	if _, err := b.trySend(w.ctx, g, "unheard"); !errors.Is(err, whatsmeow.ErrServerReturnedError) {
		t.Errorf("a member wrote where only admins do: %v", err)
	}
	must(t, a.SetGroupMemberAddMode(w.ctx, g, types.GroupMemberAddModeAdmin))
	must(t, a.SetGroupJoinApprovalMode(w.ctx, g, true))
	now, err := b.GetGroupInfo(w.ctx, g)
	must(t, err)
	if now.Name != "Big Choir" || now.Topic != "Tuesdays" || !now.IsLocked || !now.IsAnnounce || !now.IsJoinApprovalRequired ||
		now.MemberAddMode != types.GroupMemberAddModeAdmin {
		t.Errorf("group is %+v", now)
	}
	must(t, a.SetGroupTopic(w.ctx, g, "", "", ""))
	wait(b, 0, func(e *events.GroupInfo) bool { return e.Topic != nil && e.Topic.TopicDeleted })
	if err := a.SetGroupName(w.ctx, g, strings.Repeat("x", 200)); !errors.Is(err, whatsmeow.ErrIQNotAcceptable) {
		t.Errorf("a name of 200 letters: %v", err)
	}
}

func TestGroupLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.pair(w.phone("Ada")), w.pair(w.phone("Bob"))
	nobody := pn("4930123456")
	info, err := a.CreateGroup(w.ctx, whatsmeow.ReqCreateGroup{Name: "Choir", Participants: []types.JID{nobody}})
	must(t, err)
	if len(info.Participants) != 2 || info.Participants[0].JID != nobody || info.Participants[0].Error != 404 || info.ParticipantCount != 1 {
		t.Errorf("created with somebody who is not there: %+v", info)
	}
	old, err := a.GetGroupInviteLink(w.ctx, info.JID, false)
	must(t, err)
	link, err := a.GetGroupInviteLink(w.ctx, info.JID, true)
	must(t, err)
	if _, err := b.JoinGroupWithLink(w.ctx, old); !errors.Is(err, whatsmeow.ErrInviteLinkRevoked) {
		t.Errorf("revoked link: %v", err)
	}
	if _, err := b.JoinGroupWithLink(w.ctx, "nonsense"); !errors.Is(err, whatsmeow.ErrInviteLinkInvalid) {
		t.Errorf("made-up link: %v", err)
	}
	if _, err := b.GetGroupInfo(w.ctx, info.JID); !errors.Is(err, whatsmeow.ErrNotInGroup) {
		t.Errorf("an outsider reads the group: %v", err)
	}
	shown, err := b.GetGroupInfoFromLink(w.ctx, link)
	if err != nil || shown.Name != "Choir" {
		t.Errorf("behind the link: %+v, %v", shown, err)
	}
	joined, err := b.JoinGroupWithLink(w.ctx, link)
	if err != nil || joined != info.JID {
		t.Errorf("joined %v, %v", joined, err)
	}
	wait(a, 0, func(e *events.GroupInfo) bool { return len(e.Join) == 1 && e.JoinReason == "invite" })
	b.send(w.ctx, info.JID, "here I am")
	wait(a, 0, hasText("here I am"))

	must(t, b.LeaveGroup(w.ctx, info.JID))
	wait(a, 0, func(e *events.GroupInfo) bool { return len(e.Leave) == 1 })
	must(t, a.SetGroupJoinApprovalMode(w.ctx, info.JID, true))
	_, err = b.JoinGroupWithLink(w.ctx, link)
	must(t, err)
	asked, err := a.GetGroupRequestParticipants(w.ctx, info.JID)
	if err != nil || len(asked) != 1 || asked[0].JID.User != b.Store.LID.User {
		t.Fatalf("asked to join: %+v, %v", asked, err)
	}
	mark := b.mark()
	_, err = a.UpdateGroupRequestParticipants(w.ctx, info.JID, []types.JID{asked[0].JID}, whatsmeow.ParticipantChangeApprove)
	must(t, err)
	wait[*events.JoinedGroup](b, mark, nil)
	if groups, err := b.GetJoinedGroups(w.ctx); err != nil || len(groups) != 1 {
		t.Errorf("Bob's groups: %v, %v", groups, err)
	}
	if _, err := b.GetGroupInfo(w.ctx, types.NewJID("120363999999999999", types.GroupServer)); !errors.Is(err, whatsmeow.ErrGroupNotFound) {
		t.Errorf("a group that is not there: %v", err)
	}
}

// A member who lost the sender's keys gets the group message again, for itself.
func TestGroupRetry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada, bob := w.phone("Ada"), w.phone("Bob")
	a, b := w.pair(ada), w.pair(bob)
	info, err := a.CreateGroup(w.ctx, whatsmeow.ReqCreateGroup{Name: "Choir", Participants: []types.JID{pn(bob.Number())}})
	must(t, err)
	a.send(w.ctx, info.JID, "one")
	wait(b, 0, hasText("one"))
	must(t, bob.SetOnline(w.ctx, false)) // it would give the client its own copy
	must(t, b.Store.Sessions.DeleteSession(w.ctx, a.Store.GetLID().SignalAddress().String()))
	a.send(w.ctx, info.JID, "two")
	if got := wait(b, 0, hasText("two")).Info; got.Chat != info.JID || !got.IsGroup {
		t.Errorf("came again as %+v", got.MessageSource)
	}
	if w.Stats().Retries == 0 {
		t.Error("no retry receipt was seen")
	}
}
