package e2e

import (
	"net/http"
	"slices"
	"testing"

	"switchboard/whatsapp"
	"switchboard/whatsapp/simulator/phone"
	"switchboard/whatsapp/simulator/web"
)

// TestMoreAPI does by the management API what gowa never had, and looks on the phones.
func TestMoreAPI(t *testing.T) {
	t.Parallel()
	network := startNetwork(t)
	ada, grace := network.addPhone(own, "Ada"), network.addPhone(friend, "Grace")
	joan := network.addPhone(third, "Joan")
	number, api := startNumber(t, network, ada)
	ctx := within(t, 5*patience) // all of the test
	at := "/instances/" + number.ID
	do := func(path string, in map[string]any) {
		t.Helper()
		api.call(http.MethodPost, at+path, in, http.StatusNoContent, nil)
	}
	type list[T any] struct{ Data []T }

	// Marks of chats.
	do("/chat/"+friend+"/unread", map[string]any{"unread": true})
	ada.view("the chat marked as unread", func(v phone.View) bool { return v.Chats[friend].Unread })
	do("/chat/"+friend+"/unread", map[string]any{"unread": false})
	ada.view("the chat marked as read", func(v phone.View) bool { return !v.Chats[friend].Unread })
	do("/chat/"+friend+"@s.whatsapp.net/mute", map[string]any{"muted": true, "seconds": 3600})
	ada.view("the chat muted for an hour", func(v phone.View) bool { return v.Chats[friend].Muted && !v.Chats[friend].MutedUntil.IsZero() })
	do("/chat/"+friend+"/mute", map[string]any{"muted": true})
	ada.view("the chat muted for good", func(v phone.View) bool { return v.Chats[friend].Muted && v.Chats[friend].MutedUntil.IsZero() })
	do("/chat/"+friend+"/mute", map[string]any{"muted": false})
	ada.view("the chat no longer muted", func(v phone.View) bool { return !v.Chats[friend].Muted })
	api.call(http.MethodPost, at+"/chat/"+friend+"/mute", map[string]any{}, http.StatusUnprocessableEntity, nil)

	// Polls.
	lunch, err := network.control.SendPoll(ctx, friend, own, web.Poll{Question: "Lunch?", Options: []string{"Soup", "Cake"}})
	network.must(err)
	at1 := at + "/message/" + lunch.ID
	var votes struct {
		Options []struct {
			Name   string
			Voters []struct{ JID string }
		}
	}
	poll(t, "the poll is stored", func() bool {
		status, _ := api.ask(http.MethodGet, at1+"/votes?phone="+friend, nil)
		return status == http.StatusOK
	}, nil)
	api.call(http.MethodPost, at1+"/vote", map[string]any{"phone": friend, "options": []string{"Cake"}}, http.StatusOK, nil)
	api.call(http.MethodGet, at1+"/votes?phone="+friend, nil, http.StatusOK, &votes)
	if len(votes.Options) != 2 || len(votes.Options[0].Voters) != 0 || len(votes.Options[1].Voters) != 1 || votes.Options[1].Voters[0].JID != own+"@s.whatsapp.net" {
		t.Errorf("the votes are %+v", votes)
	}
	api.call(http.MethodPost, at1+"/vote", map[string]any{"phone": friend, "options": []string{}}, http.StatusOK, nil)
	api.call(http.MethodPost, at1+"/vote", map[string]any{"phone": friend, "options": []string{"Fish"}}, http.StatusUnprocessableEntity, nil)

	// The text about oneself.
	do("/user/about", map[string]any{"about": "Open from nine"})
	seen, err := network.control.See(ctx, friend, own)
	network.must(err)
	if seen.About != "Open from nine" {
		t.Errorf("Grace reads %q about Ada", seen.About)
	}

	// People: looking up, both forms, blocking.
	var found list[whatsapp.Lookup]
	api.call(http.MethodPost, at+"/user/lookup", map[string]any{"phones": []string{"+49 170 0000002", stranger, friend}}, http.StatusOK, &found)
	if len(found.Data) != 3 || !found.Data[0].OnWhatsApp || found.Data[0].Query != "+49 170 0000002" || found.Data[0].Phone != friend ||
		found.Data[0].LID == "" || found.Data[1].OnWhatsApp || found.Data[2].LID != found.Data[0].LID {
		t.Errorf("looked up: %+v", found.Data)
	}
	lid := found.Data[0].LID
	var both whatsapp.Address
	api.call(http.MethodGet, at+"/user/resolve?phone="+lid, nil, http.StatusOK, &both)
	if both.Phone != friend || both.LID != lid || both.JID != friend+"@s.whatsapp.net" {
		t.Errorf("%s resolves to %+v", lid, both)
	}
	api.call(http.MethodGet, at+"/user/resolve?phone="+third, nil, http.StatusOK, &both)
	if both.Phone != third || both.LID == "" {
		t.Errorf("%s resolves to %+v", third, both)
	}
	api.call(http.MethodGet, at+"/user/resolve?phone="+stranger, nil, http.StatusUnprocessableEntity, nil)
	do("/user/blocked", map[string]any{"phone": friend, "blocked": true})
	var blocked list[whatsapp.Blocked]
	api.call(http.MethodGet, at+"/user/blocked", nil, http.StatusOK, &blocked)
	profile, err := network.control.Profile(ctx, own)
	network.must(err)
	if len(blocked.Data) != 1 || blocked.Data[0].JID != friend+"@s.whatsapp.net" || blocked.Data[0].LID != lid || !slices.Equal(profile.Blocked, []string{friend}) {
		t.Errorf("blocked are %+v, on the servers %v", blocked.Data, profile.Blocked)
	}
	do("/user/blocked", map[string]any{"phone": lid, "blocked": false})
	if profile, err = network.control.Profile(ctx, own); err != nil || len(profile.Blocked) != 0 {
		t.Errorf("still blocked: %v, %v", profile.Blocked, err)
	}

	// Channels.
	var channel whatsapp.Newsletter
	api.call(http.MethodPost, at+"/newsletter", map[string]any{"name": "News", "description": "of the shop"}, http.StatusOK, &channel)
	network.must(network.control.FollowChannel(ctx, friend, channel.ID, true))
	api.send(number.ID, channel.ID, "Now open")
	grace.look(0)
	poll(t, "who follows the channel reads it", func() bool {
		grace.look(0)
		return slices.ContainsFunc(grace.inbox, func(e phone.Entry) bool { return e.Chat == channel.ID && e.Text == "Now open" })
	}, nil)
	theirs, err := network.control.CreateChannel(ctx, friend, "Weather", "")
	network.must(err)
	api.call(http.MethodPost, at+"/newsletter/follow", map[string]any{"newsletter_id": theirs.Link}, http.StatusOK, &channel)
	do("/newsletter/mute", map[string]any{"newsletter_id": theirs.ID, "muted": true})
	all, err := network.control.Channels(ctx, own)
	network.must(err)
	if !slices.ContainsFunc(all, func(c phone.Channel) bool { return c.ID == theirs.ID && c.Muted && c.Role == "subscriber" }) || channel.ID != theirs.ID {
		t.Errorf("the channels are %+v", all)
	}
	api.call(http.MethodPost, at+"/newsletter/follow", map[string]any{"newsletter_id": "1@newsletter"}, http.StatusNotFound, nil)

	// Communities.
	var made struct {
		GroupID string `json:"group_id"`
	}
	api.call(http.MethodPost, at+"/community", map[string]any{"title": "Town", "participants": []string{third}}, http.StatusOK, &made)
	if g := joan.group(made.GroupID); !g.Community || g.Name != "Town" {
		t.Errorf("the community is %+v", g)
	}
	group, err := network.control.CreateGroup(ctx, own, "Choir", third)
	network.must(err)
	do("/community/groups", map[string]any{"community_id": made.GroupID, "group_id": group.ID})
	if g := joan.group(group.ID); g.Parent != made.GroupID {
		t.Errorf("the group in the community is %+v", g)
	}
	var subs list[whatsapp.SubGroup]
	api.call(http.MethodGet, at+"/community/groups?community_id="+made.GroupID, nil, http.StatusOK, &subs)
	if len(subs.Data) != 2 || !slices.ContainsFunc(subs.Data, func(g whatsapp.SubGroup) bool { return g.GroupID == group.ID && !g.Default }) ||
		!slices.ContainsFunc(subs.Data, func(g whatsapp.SubGroup) bool { return g.Default }) {
		t.Errorf("the community has %+v", subs.Data)
	}
	do("/community/groups", map[string]any{"community_id": made.GroupID, "group_id": group.ID, "linked": false})
	if g := joan.group(group.ID); g.Parent != "" {
		t.Errorf("the group taken out is %+v", g)
	}

	// Nothing of it works while the number is not connected, and it says so.
	api.call(http.MethodPost, at+"/stop", nil, http.StatusOK, nil)
	api.becomes(number.ID, "stopped")
	if status, body := api.ask(http.MethodGet, at+"/user/blocked", nil); status != http.StatusConflict && status != http.StatusServiceUnavailable {
		t.Errorf("of a stopped number: %d %s", status, body)
	}
}
