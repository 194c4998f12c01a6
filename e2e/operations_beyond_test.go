package e2e

import (
	"fmt"
	"image/color"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"switchboard/whatsapp"
	"switchboard/whatsapp/simulator/phone"
	"switchboard/whatsapp/simulator/web"
)

// beyondActs are the operations that gowa does not have.
var beyondActs = []act{
	{"GET /queue", func(s *stage) {
		s.queue = ""
		status, _, body := s.raw("POST /send/message", "", s.toAnn(params{"message": "next year", "send_at": time.Now().AddDate(1, 0, 0).UTC().Format(time.RFC3339)}))
		if status != http.StatusAccepted {
			s.t.Fatalf("%d %s", status, body)
		}
		var all struct {
			Data []struct{ ID, Phone, State string }
		}
		s.ask(nil).into(&all)
		s.is(len(all.Data) == 1 && all.Data[0].Phone == s.chat && all.Data[0].State == "waiting", "the queue is %+v", all)
		s.queue = all.Data[0].ID
	}},
	{"DELETE /queue/{queue_id}", func(s *stage) {
		s.ask(params{"queue_id": s.queue})
		status, _, body := s.raw("GET /queue", "", nil)
		s.is(status == http.StatusOK && !strings.Contains(string(body), s.queue), "the queue is %s", body)
	}},
	{"GET /message/{message_id}/status", func(s *stage) {
		id := s.says("did it arrive?")
		var got struct {
			Status   string
			Receipts []struct{ JID, LID string }
		}
		poll(s.t, "it counts as delivered", func() bool {
			s.ask(params{"message_id": id, "phone": s.ann.number}).into(&got)
			return got.Status == "delivered"
		}, nil)
		s.must(s.control.MarkRead(within(s.t, patience), s.ann.number, s.owner.number))
		poll(s.t, "it counts as read", func() bool {
			s.ask(params{"message_id": id}).into(&got)
			return got.Status == "read"
		}, nil)
		s.is(len(got.Receipts) == 1 && got.Receipts[0].JID == s.chat && got.Receipts[0].LID != "", "read by %+v", got.Receipts)
	}},
	{"POST /message/{message_id}/vote", func(s *stage) {
		group, _ := s.choir()
		votes := func(want ...string) func(phone.Entry) bool {
			return func(e phone.Entry) bool { return slices.Equal(e.Votes[s.owner.number], want) }
		}
		for chat, to := range map[string]string{s.chat: s.owner.number, group: group} {
			poll, err := s.control.SendPoll(within(s.t, patience), s.ann.number, to, web.Poll{Question: "Lunch?", Options: []string{"Soup", "Cake"}, Selectable: 1})
			s.must(err)
			s.stored(chat, poll.ID)
			s.about(poll.ID, params{"phone": chat, "options": []string{"Cake"}})
			s.arrives(s.ann, poll.ID, votes("Cake"))
			s.arrives(s.owner, poll.ID, votes("Cake")) // the account's own phone
			s.about(poll.ID, params{"phone": chat, "options": []string{"Soup"}})
			s.arrives(s.ann, poll.ID, votes("Soup"))
			for _, wrong := range [][]string{{"Fish"}, {"Soup", "Cake"}} {
				s.refused("400 VALIDATION_ERROR", s.operation, params{"message_id": poll.ID, "phone": chat, "options": wrong})
			}
			s.about(poll.ID, params{"phone": chat, "options": ""})
			s.arrives(s.ann, poll.ID, votes())
		}
		s.refused("400 VALIDATION_ERROR", s.operation, params{"message_id": s.hears(s.ann, "no poll", ""), "phone": s.chat, "options": []string{"Soup"}})
	}},
	{"GET /message/{message_id}/votes", func(s *stage) {
		group, _ := s.choir()
		for chat, there := range map[string]string{s.chat: s.owner.number, group: group} {
			status, _, body := s.raw("POST /send/poll", "", params{"phone": chat, "question": "Lunch?", "options": []string{"Soup", "Cake"}, "max_answer": 2})
			s.is(status == http.StatusOK, "%d %s", status, body)
			id := answered{s: s, Results: results(body)}.id()
			s.arrives(s.ann, id, nil)
			for _, chosen := range [][]string{{"Soup", "Cake"}, {"Cake"}, nil} {
				s.must(s.control.Vote(within(s.t, patience), s.ann.number, there, id, chosen...))
				var got struct {
					Question string
					Options  []struct {
						Name   string
						Voters []struct{ JID, LID, Name string }
					}
				}
				poll(s.t, "the vote counts", func() bool {
					s.about(id, params{"phone": chat}).into(&got)
					var counted []string
					for _, o := range got.Options {
						if len(o.Voters) == 1 && o.Voters[0].JID == s.chat && o.Voters[0].LID != "" && o.Voters[0].Name == "Ann" {
							counted = append(counted, o.Name)
						}
					}
					return got.Question == "Lunch?" && slices.Equal(counted, chosen)
				}, func() string { return fmt.Sprintf("%+v", got) })
			}
		}
	}},
	{"GET /messages/search", func(s *stage) {
		id, other := s.hears(s.ann, "where is the violoncello?", ""), s.hears(s.ben, "and the flute?", "")
		found := string(s.ask(params{"query": "VIOLONCELLO"}).Results)
		s.is(strings.Contains(found, id) && !strings.Contains(found, other), "found are %s", found)
	}},
	{"GET /statics/media/{name}", func(s *stage) {
		picture := aJPEG(s.t, color.RGBA{G: 100, A: 255})
		sight, err := s.control.SendFile(within(s.t, patience), s.ann.number, s.owner.number, web.File{Kind: phone.Image, MIME: "image/jpeg", Data: picture})
		s.must(err)
		s.stored(s.chat, sight.ID)
		var file struct {
			Path string `json:"file_path"`
		}
		_, _, body := s.raw("GET /message/{message_id}/download", "", params{"message_id": sight.ID, "phone": s.chat})
		answered{s: s, Results: results(body)}.into(&file)
		s.is(string(s.ask(params{"name": path.Base(file.Path)}).Results) == string(picture), "another picture is there")
		status, _, _ := s.raw("GET /statics/media/{name}", "", params{"name": "none.jpeg"})
		s.is(status == http.StatusNotFound, "what is not there: %d", status)
	}},
	{"POST /chat/{chat_jid}/mute", func(s *stage) {
		for _, on := range []bool{true, false} {
			s.ask(params{"chat_jid": s.chat, "muted": on, "seconds": 0})
			s.shows(s.owner, "the chat muted or not", func(v phone.View) bool { return v.Chats[s.ann.number].Muted == on })
		}
	}},
	{"POST /chat/{chat_jid}/unread", func(s *stage) {
		for _, on := range []bool{true, false} {
			s.ask(params{"chat_jid": s.chat, "unread": on})
			s.shows(s.owner, "the chat unread or not", func(v phone.View) bool { return v.Chats[s.ann.number].Unread == on })
		}
	}},
	{"POST /user/about", func(s *stage) {
		s.ask(params{"about": "Open from nine"})
		seen, err := s.control.See(within(s.t, patience), s.ann.number, s.owner.number)
		s.must(err)
		s.is(seen.About == "Open from nine", "Ann reads %q", seen.About)
	}},
	{"POST /user/lookup", func(s *stage) {
		var found struct{ Data []whatsapp.Lookup }
		s.ask(params{"phones": []string{"+" + s.ann.number, stranger}}).into(&found)
		s.is(len(found.Data) == 2 && found.Data[0].OnWhatsApp && found.Data[0].LID != "" && !found.Data[1].OnWhatsApp, "found are %+v", found.Data)
	}},
	{"GET /user/resolve", func(s *stage) {
		var both whatsapp.Address
		s.ask(params{"phone": s.ann.number}).into(&both)
		s.is(both.Phone == s.ann.number && both.JID == s.chat && both.LID != "", "Ann is %+v", both)
		hidden := both.LID
		s.ask(params{"phone": hidden}).into(&both)
		s.is(both.Phone == s.ann.number, "%s is %+v", hidden, both)
	}},
	{"POST /user/blocked", func(s *stage) {
		s.ask(params{"phone": s.ben.number, "blocked": true})
		profile, err := s.control.Profile(within(s.t, patience), s.owner.number)
		s.must(err)
		s.is(slices.Equal(profile.Blocked, []string{s.ben.number}), "on the servers %v are blocked", profile.Blocked)
	}},
	{"GET /user/blocked", func(s *stage) {
		var all struct{ Data []whatsapp.Blocked }
		s.ask(nil).into(&all)
		s.is(len(all.Data) == 1 && all.Data[0].JID == s.ben.number+"@s.whatsapp.net", "blocked are %+v", all.Data)
		status, _, body := s.raw("POST /user/blocked", "", params{"phone": s.ben.number, "blocked": false})
		s.is(status == http.StatusOK, "taking it back: %d %s", status, body)
	}},
	{"POST /newsletter", func(s *stage) {
		var made whatsapp.Newsletter
		s.ask(params{"name": "News", "description": "of the shop", "picture": attachment{"a.png", "image/png", aPNG(s.t, darkGreen)}}).into(&made)
		s.must(s.control.FollowChannel(within(s.t, patience), s.ann.number, made.ID, true))
		all, err := s.control.Channels(within(s.t, patience), s.ann.number)
		s.must(err)
		s.is(slices.ContainsFunc(all, func(c phone.Channel) bool { return c.ID == made.ID && c.Name == "News" }), "Ann follows %+v", all)
	}},
	{"POST /newsletter/follow", func(s *stage) {
		theirs, err := s.control.CreateChannel(within(s.t, patience), s.ben.number, "Weather", "")
		s.must(err)
		s.channel = theirs.ID
		s.ask(params{"newsletter_id": theirs.Link})
		s.channelIs(func(c phone.Channel) bool { return c.Role == "subscriber" })
	}},
	{"POST /newsletter/mute", func(s *stage) {
		s.ask(params{"newsletter_id": s.channel, "muted": true})
		s.channelIs(func(c phone.Channel) bool { return c.Muted })
	}},
	{"POST /community", func(s *stage) {
		var made struct {
			ID string `json:"group_id"`
		}
		s.ask(params{"title": "Town", "participants": []string{s.ann.number}}).into(&made)
		s.group = made.ID
		s.groupIs(func(g phone.Group) bool { return g.Community && g.Name == "Town" })
	}},
	{"POST /community/groups", func(s *stage) {
		group, _ := s.choir()
		s.ask(params{"community_id": s.group, "group_id": group})
		s.is(s.ann.group(group).Parent == s.group, "the group is %+v", s.ann.group(group))
	}},
	{"GET /community/groups", func(s *stage) {
		var all struct{ Data []whatsapp.SubGroup }
		s.ask(params{"community_id": s.group}).into(&all)
		s.is(len(all.Data) == 2 && slices.ContainsFunc(all.Data, func(g whatsapp.SubGroup) bool { return g.Default }), "the community has %+v", all.Data)
	}},
}

// channelIs looks at the channel that the acts share, as the number's own phone lists it.
func (s *stage) channelIs(match func(phone.Channel) bool) {
	s.t.Helper()
	all, err := s.control.Channels(within(s.t, patience), s.owner.number)
	s.must(err)
	s.is(slices.ContainsFunc(all, func(c phone.Channel) bool { return c.ID == s.channel && match(c) }), "the channels are %+v", all)
}
