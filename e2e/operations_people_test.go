package e2e

import (
	"image/color"
	"slices"

	"switchboard/whatsapp"
	"switchboard/whatsapp/simulator/phone"
)

var (
	darkRed   = color.RGBA{R: 200, G: 30, B: 40, A: 255}
	darkGreen = color.RGBA{R: 20, G: 160, B: 60, A: 255}
)

// profile changes what the servers know of somebody.
func (s *stage) profile(h *handset, change params) {
	s.t.Helper()
	s.must(s.control.ChangeProfile(within(s.t, patience), h.number, change))
}

var userActs = []act{
	{"POST /user/pushname", func(s *stage) {
		s.ask(params{"push_name": "Owner & Co"})
		s.shows(s.owner, "its new name", func(v phone.View) bool { return v.Name == "Owner & Co" })
		poll(s.t, "the network knows the name", func() bool {
			p, err := s.control.Profile(within(s.t, patience), s.owner.number)
			return err == nil && p.Name == "Owner & Co"
		}, nil)
	}},
	{"POST /user/avatar", func(s *stage) {
		s.ask(params{"avatar": attachment{"a.png", "image/png", aPNG(s.t, darkRed)}})
		s.looked = true
		s.ann.sees(s.owner.number, darkRed)
	}},
	{"GET /user/avatar", func(s *stage) {
		s.must(s.control.SetPicture(within(s.t, patience), s.ann.number, aJPEG(s.t, darkGreen)))
		seen, err := s.control.See(within(s.t, patience), s.owner.number, s.ann.number)
		s.must(err)
		for _, preview := range []bool{false, true} {
			var picture whatsapp.Picture
			s.ask(params{"phone": s.ann.number, "is_preview": preview, "is_community": ""}).into(&picture)
			kind := map[bool]string{false: "image", true: "preview"}[preview]
			s.is(picture.ID == seen.Picture && picture.URL != "" && picture.Type == kind, "the picture is %+v", picture)
		}
	}},
	{"GET /user/my/privacy", func(s *stage) {
		s.profile(s.owner, params{"privacy": map[string]string{"groupadd": "contacts", "readreceipts": "none"}})
		var got map[string]string
		s.ask(nil).into(&got)
		s.is(got["group_add"] == "contacts" && got["read_receipts"] == "none" && got["last_seen"] == "all", "the settings are %v", got)
		s.profile(s.owner, params{"privacy": map[string]string{"groupadd": "all", "readreceipts": "all"}})
	}},
	{"GET /user/business-profile", func(s *stage) {
		s.profile(s.ann, params{"about": "At sea", "business": params{
			"name": "Ann Ltd", "email": "ann@example.com", "address": "1 Harbour", "categories": []string{"Sailing"},
			"time_zone": "Europe/Berlin", "hours": []map[string]string{{"day": "mon", "open": "480", "close": "1020"}},
		}})
		var got whatsapp.BusinessProfile
		s.ask(params{"phone": s.ann.number}).into(&got)
		s.is(got.Email == "ann@example.com" && got.Address == "1 Harbour" && got.BusinessHoursTimeZone == "Europe/Berlin" &&
			got.Categories[0].Name == "Sailing" && got.BusinessHours[0].DayOfWeek == "mon", "the business is %+v", got)
	}},
	{"GET /user/info", func(s *stage) {
		var got struct {
			Data  []whatsapp.UserInfo
			Phone string `json:"resolved_phone"`
			LID   string `json:"resolved_lid"`
		}
		s.ask(params{"phone": s.ann.number}).into(&got)
		s.is(len(got.Data) == 1 && got.Data[0].Status == "At sea" && got.Data[0].VerifiedName == "Ann Ltd" && got.Data[0].PictureID != "" &&
			len(got.Data[0].Devices) == 1 && got.Phone == s.chat && got.LID != "", "Ann is %+v", got)
		hidden := got.LID
		s.ask(params{"phone": hidden}).into(&got)
		s.is(got.Phone == s.chat && got.Data[0].Status == "At sea", "by the hidden address Ann is %+v", got)
	}},
	{"GET /user/check", func(s *stage) {
		for number, want := range map[string]bool{s.ann.number: true, stranger: false} {
			var got struct {
				Is bool `json:"is_on_whatsapp"`
			}
			s.ask(params{"phone": number}).into(&got)
			s.is(got.Is == want, "%s: %v", number, got.Is)
		}
	}},
	{"GET /user/my/contacts", func(s *stage) {
		s.must(s.control.SaveContact(within(s.t, patience), s.owner.number, s.ben.number, "Ben from work"))
		var all struct{ Data []whatsapp.Known }
		s.looked = true
		poll(s.t, "the contact is there", func() bool {
			s.ask(nil).into(&all)
			return slices.ContainsFunc(all.Data, func(k whatsapp.Known) bool {
				return k.JID == s.ben.number+"@s.whatsapp.net" && k.Name == "Ben from work"
			})
		}, nil)
	}},
	{"GET /user/my/groups", func(s *stage) {
		group, _ := s.choir()
		var all struct{ Data []whatsapp.Group }
		s.ask(nil).into(&all)
		s.is(slices.ContainsFunc(all.Data, func(g whatsapp.Group) bool { return g.JID == group && g.Name == "Choir" && len(g.Participants) == 3 }), "the groups are %+v", all.Data)
	}},
	{"GET /user/my/newsletters", func(s *stage) {
		c, err := s.control.CreateChannel(within(s.t, patience), s.ann.number, "Weather", "of the day")
		s.must(err)
		s.channel = c.ID
		s.must(s.control.FollowChannel(within(s.t, patience), s.owner.number, c.ID, true))
		var all struct{ Data []whatsapp.Newsletter }
		s.ask(nil).into(&all)
		s.is(len(all.Data) == 1 && all.Data[0].ID == c.ID && all.Data[0].Thread.Name.Text == "Weather" && all.Data[0].Viewer.Role == "subscriber", "the channels are %+v", all.Data)
	}},
}

var chatActs = []act{
	{"POST /chat/{chat_jid}/pin", func(s *stage) {
		for _, on := range []bool{true, false} {
			var got struct {
				Chat   string `json:"chat_jid"`
				Pinned bool
			}
			s.ask(params{"chat_jid": s.chat, "pinned": on}).into(&got)
			s.shows(s.owner, "the chat pinned or not", func(v phone.View) bool { return v.Chats[s.ann.number].Pinned == on })
			s.is(got.Pinned == on && got.Chat == s.chat, "it answers %+v", got)
		}
	}},
	{"POST /chat/{chat_jid}/archive", func(s *stage) {
		for _, on := range []bool{true, false} {
			s.ask(params{"chat_jid": s.chat, "archived": on})
			s.shows(s.owner, "the chat archived or not", func(v phone.View) bool { return v.Chats[s.ann.number].Archived == on })
		}
	}},
	{"POST /chat/{chat_jid}/label", func(s *stage) {
		for _, on := range []bool{true, false} {
			s.ask(params{"chat_jid": s.chat, "label_id": "7", "label_name": "Paid", "labeled": on})
			s.shows(s.owner, "the label or none", func(v phone.View) bool { return v.Chats[s.ann.number].Labels["7"] == on && v.Labels["7"] == "Paid" })
		}
	}},
	{"POST /chat/{chat_jid}/disappearing", func(s *stage) {
		s.ask(params{"chat_jid": s.chat, "timer_seconds": 604800})
		s.shows(s.ann, "the timer", func(v phone.View) bool { return v.Chats[s.owner.number].Disappearing == 604800 })
		s.shows(s.owner, "the timer", func(v phone.View) bool { return v.Chats[s.ann.number].Disappearing == 604800 })
		e := s.arrives(s.ann, s.says("soon gone"), nil)
		s.is(e.Detail != nil && e.Detail.Expires == 604800, "it disappears after %+v", e.Detail)
		s.ask(params{"chat_jid": s.chat, "timer_seconds": 0})
		s.shows(s.ann, "no timer", func(v phone.View) bool { return v.Chats[s.owner.number].Disappearing == 0 })
		group, _ := s.choir()
		s.ask(params{"chat_jid": group, "timer_seconds": 86400})
		s.is(s.ann.group(group).Disappearing == 86400, "the group is %+v", s.ann.group(group))
	}},
}

var newsletterActs = []act{
	{"GET /newsletter/messages", func(s *stage) {
		s.ann.send(s.channel, "Rain")
		s.ann.send(s.channel, "Sun")
		var posts struct{ Data []whatsapp.NewsletterMessage }
		s.ask(params{"newsletter_id": s.channel, "count": "", "before": ""}).into(&posts)
		s.is(len(posts.Data) == 2 && posts.Data[0].Text == "Rain" && posts.Data[1].Text == "Sun", "the messages are %+v", posts.Data)
		s.must(s.control.ReactInChannel(within(s.t, patience), s.owner.number, s.channel, posts.Data[1].ServerID, "☀"))
		poll(s.t, "the reaction counts", func() bool {
			s.ask(params{"newsletter_id": s.channel, "count": 1}).into(&posts)
			return len(posts.Data) == 1 && posts.Data[0].ReactionCounts["☀"] == 1
		}, nil)
		s.ask(params{"newsletter_id": s.channel, "before": posts.Data[0].ServerID}).into(&posts)
		s.is(len(posts.Data) == 1 && posts.Data[0].Text == "Rain", "the older messages are %+v", posts.Data)
	}},
	{"POST /newsletter/unfollow", func(s *stage) {
		s.ask(params{"newsletter_id": s.channel})
		all, err := s.control.Channels(within(s.t, patience), s.ann.number)
		s.must(err)
		s.is(len(all) == 1 && all[0].Followers == 0, "its owner sees %+v", all)
	}},
}

var callActs = []act{
	{"POST /call/reject", func(s *stage) {
		call, err := s.control.Call(within(s.t, patience), s.ann.number, s.owner.number)
		s.must(err)
		is := func(state string) func(phone.View) bool {
			return func(v phone.View) bool {
				return slices.ContainsFunc(v.Calls, func(c phone.Call) bool { return c.ID == call.ID && c.State == state })
			}
		}
		s.shows(s.owner, "the call ringing", is("ringing"))
		s.ask(params{"caller_jid": s.chat, "call_id": call.ID})
		s.shows(s.ann, "the call turned down", is("rejected"))
		s.shows(s.owner, "the call turned down", is("rejected"))
		s.refused("404 NOT_FOUND", s.operation, params{"caller_jid": s.chat, "call_id": call.ID}) // it is over
	}},
}
