package e2e

import (
	"bytes"
	"encoding/csv"
	"slices"

	"switchboard/whatsapp"
	"switchboard/whatsapp/simulator/phone"
)

// ofGroup asks the act's operation about the group that the acts share.
func (s *stage) ofGroup(in params) answered {
	s.t.Helper()
	all := params{"group_id": s.group}
	for name, value := range in {
		all[name] = value
	}
	return s.ask(all)
}

// groupIs looks at the group on Ann's phone.
func (s *stage) groupIs(match func(phone.Group) bool) {
	s.t.Helper()
	g := s.ann.group(s.group)
	s.is(match(g), "the group is %+v", g)
}

// asksToJoin has Ben ask to be let in.
func (s *stage) asksToJoin() {
	s.t.Helper()
	link, err := s.control.GroupLink(within(s.t, patience), s.owner.number, s.group)
	s.must(err)
	s.must(s.control.ChangeGroup(within(s.t, patience), s.owner.number, s.group, params{"approval": true}))
	s.must(s.control.JoinGroup(within(s.t, patience), s.ben.number, link))
}

// theirGroup is a group of Ann's with Ben, and the link to it.
func (s *stage) theirGroup() (id, link string) {
	s.t.Helper()
	g, err := s.control.CreateGroup(within(s.t, patience), s.ann.number, "Theirs", s.ben.number)
	s.must(err)
	link, err = s.control.GroupLink(within(s.t, patience), s.ann.number, g.ID)
	s.must(err)
	return g.ID, link
}

// outcome asks for something to be done to Ben, which has to succeed.
func (s *stage) outcome() {
	s.t.Helper()
	var out []whatsapp.Outcome
	s.ofGroup(params{"participants": []string{s.ben.number}}).into(&out)
	s.is(len(out) == 1 && !out[0].Failed() && out[0].Participant == s.ben.number+"@s.whatsapp.net", "the outcome is %+v", out)
}

func (s *stage) hasBen(g phone.Group) bool { return slices.Contains(g.Members, s.ben.number) }

var groupActs = []act{
	{"POST /group", func(s *stage) {
		var made struct {
			ID string `json:"group_id"`
		}
		s.ask(params{"title": "Quartet", "participants": []string{"+" + s.ann.number}}).into(&made)
		s.group = made.ID
		s.groupIs(func(g phone.Group) bool {
			return g.Name == "Quartet" && len(g.Members) == 2 && slices.Equal(g.Admins, []string{s.owner.number})
		})
	}},
	{"POST /group/participants", func(s *stage) {
		s.outcome()
		s.groupIs(s.hasBen)
	}},
	{"POST /group/participants/promote", func(s *stage) {
		s.outcome()
		s.groupIs(func(g phone.Group) bool { return slices.Contains(g.Admins, s.ben.number) })
	}},
	{"GET /group/participants", func(s *stage) {
		type member struct {
			JID, LID string
			Phone    string `json:"phone_number"`
			Name     string `json:"display_name"`
			Admin    bool   `json:"is_admin"`
			Owner    bool   `json:"is_super_admin"`
		}
		var got struct {
			Name         string
			Participants []member
		}
		s.ofGroup(nil).into(&got)
		ben := slices.IndexFunc(got.Participants, func(m member) bool { return m.Phone == s.ben.number })
		s.is(got.Name == "Quartet" && len(got.Participants) == 3 && ben >= 0, "the members are %+v", got)
		m := got.Participants[ben]
		s.is(m.Admin && !m.Owner && m.LID != "" && m.Name != "", "Ben is %+v", m)
	}},
	{"POST /group/participants/demote", func(s *stage) {
		s.outcome()
		s.groupIs(func(g phone.Group) bool { return !slices.Contains(g.Admins, s.ben.number) })
	}},
	{"GET /group/participants/export", func(s *stage) {
		rows, err := csv.NewReader(bytes.NewReader(s.ofGroup(nil).Results)).ReadAll()
		s.must(err)
		s.is(len(rows) == 4 && slices.Equal(rows[0], []string{"participant_jid", "phone_number", "lid", "display_name", "role"}) &&
			slices.ContainsFunc(rows, func(row []string) bool { return row[1] == s.owner.number && row[4] == "super_admin" }), "exported: %v", rows)
	}},
	{"POST /group/participants/remove", func(s *stage) {
		s.outcome()
		s.groupIs(func(g phone.Group) bool { return !s.hasBen(g) })
	}},
	{"POST /group/name", func(s *stage) {
		s.ofGroup(params{"name": "Old quartet"})
		s.groupIs(func(g phone.Group) bool { return g.Name == "Old quartet" })
	}},
	{"POST /group/topic", func(s *stage) {
		s.ofGroup(params{"topic": "We play on Tuesdays"})
		s.groupIs(func(g phone.Group) bool { return g.Topic == "We play on Tuesdays" })
	}},
	{"POST /group/locked", func(s *stage) {
		s.ofGroup(params{"locked": true})
		s.groupIs(func(g phone.Group) bool { return g.Locked })
		s.ofGroup(params{"locked": "false"})
		s.groupIs(func(g phone.Group) bool { return !g.Locked })
	}},
	{"POST /group/announce", func(s *stage) {
		s.ofGroup(params{"announce": "true"})
		s.groupIs(func(g phone.Group) bool { return g.Announce })
		if _, err := s.control.Send(within(s.t, patience), s.ann.number, s.group, "may I?"); err == nil {
			s.t.Error("in a group for announcements anybody writes")
		}
		s.ofGroup(params{"announce": false})
		s.groupIs(func(g phone.Group) bool { return !g.Announce })
	}},
	{"POST /group/photo", func(s *stage) {
		var photo struct {
			ID string `json:"picture_id"`
		}
		s.ofGroup(params{"photo": attachment{"a.png", "image/png", aPNG(s.t, darkGreen)}}).into(&photo)
		s.is(photo.ID != "", "the picture has no id")
		s.ann.sees(s.group, darkGreen)
		s.ofGroup(nil)
		_, err := s.control.Picture(within(s.t, patience), s.ann.number, s.group)
		s.is(err != nil, "the picture is still there")
	}},
	{"GET /group/invite-link", func(s *stage) {
		var first, second struct {
			Link string `json:"invite_link"`
		}
		s.ofGroup(params{"reset": ""}).into(&first)
		s.must(s.control.JoinGroup(within(s.t, patience), s.ben.number, first.Link))
		s.groupIs(s.hasBen)
		s.ofGroup(params{"reset": true}).into(&second)
		s.must(s.control.ChangeGroup(within(s.t, patience), s.owner.number, s.group, params{"remove": []string{s.ben.number}}))
		s.is(second.Link != first.Link && s.control.JoinGroup(within(s.t, patience), s.ben.number, first.Link) != nil, "the old link still works")
	}},
	{"GET /group/participant-requests", func(s *stage) {
		s.asksToJoin()
		var all []whatsapp.JoinRequest
		s.ofGroup(nil).into(&all)
		s.is(len(all) == 1 && all[0].PhoneNumber == s.ben.number && !all[0].RequestedAt.IsZero(), "who asks: %+v", all)
	}},
	{"POST /group/participant-requests/reject", func(s *stage) {
		s.outcome()
		s.groupIs(func(g phone.Group) bool { return !s.hasBen(g) })
	}},
	{"POST /group/participant-requests/approve", func(s *stage) {
		s.asksToJoin()
		s.outcome()
		s.groupIs(s.hasBen)
	}},
	{"GET /group/info", func(s *stage) {
		var g whatsapp.Group
		s.ofGroup(nil).into(&g)
		s.is(g.JID == s.group && g.Name == "Old quartet" && len(g.Participants) == 3 && g.OwnerPN == s.me && g.IsJoinApprovalRequired, "the group is %+v", g)
	}},
	{"GET /group/info-from-link", func(s *stage) {
		id, link := s.theirGroup()
		var g struct {
			ID, Name string
			Group    string `json:"group_id"`
			Count    int    `json:"participant_count"`
		}
		s.ask(params{"link": link}).into(&g)
		s.is(g.Group == id && g.Name == "Theirs" && g.Count == 2, "behind the link is %+v", g)
	}},
	{"POST /group/join-with-link", func(s *stage) {
		id, link := s.theirGroup()
		s.group = id
		s.ask(params{"link": link})
		s.groupIs(func(g phone.Group) bool { return slices.Contains(g.Members, s.owner.number) })
	}},
	{"POST /group/leave", func(s *stage) {
		s.ofGroup(nil)
		s.groupIs(func(g phone.Group) bool { return !slices.Contains(g.Members, s.owner.number) })
	}},
}
