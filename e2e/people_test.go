package e2e

import (
	"image/color"
	"net/http"
	"slices"
	"strconv"
	"testing"

	"switchboard/whatsapp"
	"switchboard/whatsapp/simulator/phone"
)

// view waits until what the phone's owner sees matches.
func (h *handset) view(what string, match func(phone.View) bool) phone.View {
	h.t.Helper()
	v, err := h.control.WaitView(within(h.t, patience), h.number, patience, match)
	if err != nil {
		h.t.Fatalf("%s: %v", what, err)
	}
	return v
}

// TestPeopleAPI does everything about people and the own profile by a number's REST API.
func TestPeopleAPI(t *testing.T) {
	t.Parallel()
	network := startNetwork(t)
	ada, grace := network.addPhone(own, "Ada"), network.addPhone(friend, "Grace")
	ctx := within(t, patience)
	network.must(network.control.SaveContact(ctx, own, friend, "Grace from work"))
	number, api := startNumber(t, network, ada)
	r := api.rest(number.ID)

	// The own profile, seen by others.
	r.call("POST /user/pushname", "/user/pushname", map[string]any{"push_name": "Ada & Co"}, nil)
	ada.view("the owner's name on the phone", func(v phone.View) bool { return v.Name == "Ada & Co" })
	poll(t, "the network knows the name", func() bool {
		p, err := network.control.Profile(ctx, own)
		return err == nil && p.Name == "Ada & Co"
	}, nil)
	r.fails("POST /user/pushname", "/user/pushname", map[string]any{"push_name": ""}, http.StatusBadRequest, "VALIDATION_ERROR")
	red := color.RGBA{R: 200, G: 30, B: 40, A: 255}
	r.call("POST /user/avatar", "/user/avatar", form{"avatar": aPNG(t, red)}, nil)
	grace.sees(own, red)
	r.fails("POST /user/avatar", "/user/avatar", form{"avatar": []byte("no picture")}, http.StatusBadRequest, "INVALID_IMAGE_FORMAT")
	r.fails("POST /user/avatar", "/user/avatar", form{"other": "x"}, http.StatusBadRequest, "VALIDATION_ERROR")
	grace.sees(own, red)
	var privacy map[string]string
	network.must(network.control.ChangeProfile(ctx, own, map[string]any{"privacy": map[string]string{"groupadd": "contacts", "readreceipts": "none"}}))
	r.call("GET /user/my/privacy", "/user/my/privacy", nil, &privacy)
	if privacy["group_add"] != "contacts" || privacy["read_receipts"] != "none" || privacy["last_seen"] != "all" || privacy["status"] != "all" || privacy["profile"] != "all" {
		t.Errorf("the privacy settings are %v", privacy)
	}

	// Others.
	network.must(network.control.ChangeProfile(ctx, friend, map[string]any{
		"about": "At sea", "business": map[string]any{
			"name": "Hopper Ltd", "email": "grace@example.com", "address": "1 Harbour", "categories": []string{"Sailing"},
			"time_zone": "Europe/Berlin", "hours": []map[string]string{{"day": "mon", "open": "480", "close": "1020"}},
		},
	}))
	network.must(network.control.SetPicture(ctx, friend, aJPEG(t, red)))
	var info struct {
		Data  []whatsapp.UserInfo
		Phone string `json:"resolved_phone"`
		LID   string `json:"resolved_lid"`
	}
	r.call("GET /user/info", "/user/info?phone="+friend, nil, &info)
	if len(info.Data) != 1 || info.Data[0].Status != "At sea" || info.Data[0].VerifiedName != "Hopper Ltd" || info.Data[0].PictureID == "" ||
		info.Data[0].Name != "Grace from work" || len(info.Data[0].Devices) != 1 || info.Phone != friend+"@s.whatsapp.net" || info.LID == "" {
		t.Errorf("Grace is %+v", info)
	}
	byLID := info
	r.call("GET /user/info", "/user/info?phone="+info.LID, nil, &byLID)
	if byLID.Phone != info.Phone || byLID.Data[0].Status != "At sea" {
		t.Errorf("by the hidden address Grace is %+v", byLID)
	}
	r.fails("GET /user/info", "/user/info?phone="+stranger, nil, http.StatusBadRequest, "INVALID_JID")
	r.fails("GET /user/info", "/user/info?phone=", nil, http.StatusBadRequest, "VALIDATION_ERROR")
	r.fails("GET /user/info", "/user/info?phone=12", nil, http.StatusBadRequest, "VALIDATION_ERROR")
	var picture whatsapp.Picture
	r.call("GET /user/avatar", "/user/avatar?phone="+friend+"&is_preview=false&is_community=", nil, &picture)
	if picture.ID != info.Data[0].PictureID || picture.URL == "" || picture.Type != "image" {
		t.Errorf("the picture is %+v", picture)
	}
	r.call("GET /user/avatar", "/user/avatar?is_preview=true&phone="+friend+"@s.whatsapp.net", nil, &picture)
	if picture.Type != "preview" {
		t.Errorf("the preview is %+v", picture)
	}
	network.must(network.control.ChangeProfile(ctx, friend, map[string]any{"privacy": map[string]string{"profile": "none"}}))
	r.fails("GET /user/avatar", "/user/avatar?phone="+friend, nil, http.StatusForbidden, "FORBIDDEN")
	network.must(network.control.ChangeProfile(ctx, friend, map[string]any{"privacy": map[string]string{"profile": "all"}}))
	network.must(network.control.SetPicture(ctx, friend, nil))
	r.fails("GET /user/avatar", "/user/avatar?phone="+friend, nil, http.StatusNotFound, "NOT_FOUND")
	var business whatsapp.BusinessProfile
	r.call("GET /user/business-profile", "/user/business-profile?phone="+friend, nil, &business)
	if business.Email != "grace@example.com" || business.Address != "1 Harbour" || business.BusinessHoursTimeZone != "Europe/Berlin" ||
		len(business.Categories) != 1 || business.Categories[0].Name != "Sailing" || len(business.BusinessHours) != 1 || business.BusinessHours[0].DayOfWeek != "mon" {
		t.Errorf("the business is %+v", business)
	}
	r.fails("GET /user/business-profile", "/user/business-profile?phone="+own, nil, http.StatusNotFound, "NOT_FOUND")
	var check struct {
		Is bool `json:"is_on_whatsapp"`
	}
	r.call("GET /user/check", "/user/check?phone="+friend, nil, &check)
	if !check.Is {
		t.Error("Grace is not on WhatsApp")
	}
	r.call("GET /user/check", "/user/check?phone="+stranger, nil, &check)
	if check.Is {
		t.Error("a stranger is on WhatsApp")
	}
	r.fails("GET /user/check", "/user/check", nil, http.StatusBadRequest, "VALIDATION_ERROR")
	var contacts struct{ Data []whatsapp.Known }
	r.call("GET /user/my/contacts", "/user/my/contacts", nil, &contacts)
	if !slices.ContainsFunc(contacts.Data, func(c whatsapp.Known) bool {
		return c.JID == friend+"@s.whatsapp.net" && c.Name == "Grace from work"
	}) {
		t.Errorf("the contacts are %+v", contacts.Data)
	}
}

// TestChatMarksAPI marks chats by a number's REST API and looks on the owner's phone.
func TestChatMarksAPI(t *testing.T) {
	t.Parallel()
	network := startNetwork(t)
	ada, grace := network.addPhone(own, "Ada"), network.addPhone(friend, "Grace")
	number, api := startNumber(t, network, ada)
	r := api.rest(number.ID)
	group, err := network.control.CreateGroup(within(t, patience), own, "Choir", friend)
	network.must(err)

	mark := func(operation, chat string, in map[string]any) map[string]any {
		t.Helper()
		var out map[string]any
		r.call("POST /chat/{chat_jid}/"+operation, "/chat/"+chat+"/"+operation, in, &out)
		return out
	}
	with := friend + "@s.whatsapp.net"
	if out := mark("pin", with, map[string]any{"pinned": true}); out["pinned"] != true || out["chat_jid"] != with || out["status"] != "success" {
		t.Errorf("pinning answers %v", out)
	}
	ada.view("the pinned chat", func(v phone.View) bool { return v.Chats[friend].Pinned })
	mark("pin", friend, map[string]any{"pinned": "false"})
	ada.view("the chat no longer pinned", func(v phone.View) bool { return !v.Chats[friend].Pinned })
	mark("pin", group.ID, map[string]any{"pinned": true})
	ada.view("the pinned group", func(v phone.View) bool { return v.Chats[group.ID].Pinned })
	mark("archive", friend+"%40s.whatsapp.net", map[string]any{"archived": true})
	ada.view("the archived chat", func(v phone.View) bool { return v.Chats[friend].Archived })
	mark("archive", with, map[string]any{"archived": false})
	ada.view("the chat out of the archive", func(v phone.View) bool { return !v.Chats[friend].Archived })
	mark("label", with, map[string]any{"label_id": "7", "label_name": "Paid", "labeled": true})
	ada.view("the label", func(v phone.View) bool { return v.Chats[friend].Labels["7"] && v.Labels["7"] == "Paid" })
	mark("label", with, map[string]any{"label_id": "7", "label_name": "", "labeled": false})
	ada.view("the label taken off", func(v phone.View) bool { return !v.Chats[friend].Labels["7"] && v.Labels["7"] == "Paid" })
	mark("disappearing", with, map[string]any{"timer_seconds": 86400})
	grace.view("the timer on the other phone", func(v phone.View) bool { return v.Chats[own].Disappearing == 86400 })
	ada.view("the timer on the own phone", func(v phone.View) bool { return v.Chats[friend].Disappearing == 86400 })
	mark("disappearing", with, map[string]any{"timer_seconds": "0"})
	grace.view("no timer", func(v phone.View) bool { return v.Chats[own].Disappearing == 0 })
	mark("disappearing", group.ID, map[string]any{"timer_seconds": 604800})
	if g := grace.group(group.ID); g.Disappearing != 604800 {
		t.Errorf("the group's timer: %+v", g)
	}

	for _, c := range []struct {
		operation, chat string
		in              map[string]any
		status          int
		code            string
	}{
		{"pin", with, nil, http.StatusBadRequest, "VALIDATION_ERROR"},
		{"pin", "x", map[string]any{"pinned": true}, http.StatusBadRequest, "VALIDATION_ERROR"},
		{"archive", with, map[string]any{"archived": "perhaps"}, http.StatusBadRequest, "VALIDATION_ERROR"},
		{"label", with, map[string]any{"label_id": "x", "labeled": true}, http.StatusBadRequest, "VALIDATION_ERROR"},
		{"disappearing", with, map[string]any{"timer_seconds": 5}, http.StatusBadRequest, "VALIDATION_ERROR"},
		{"disappearing", stranger, map[string]any{"timer_seconds": 0}, http.StatusBadRequest, "INVALID_JID"},
		{"disappearing", "120363999999999999@g.us", map[string]any{"timer_seconds": 0}, http.StatusNotFound, "NOT_FOUND"},
	} {
		r.fails("POST /chat/{chat_jid}/"+c.operation, "/chat/"+c.chat+"/"+c.operation, c.in, c.status, c.code)
	}
}

// TestChannelsAPI reads channels and no longer follows them.
func TestChannelsAPI(t *testing.T) {
	t.Parallel()
	network := startNetwork(t)
	ada, grace := network.addPhone(own, "Ada"), network.addPhone(friend, "Grace")
	number, api := startNumber(t, network, ada)
	r := api.rest(number.ID)
	ctx := within(t, patience)
	channel, err := network.control.CreateChannel(ctx, friend, "Weather", "of the day")
	network.must(err)
	network.must(network.control.FollowChannel(ctx, own, channel.ID, true))
	grace.send(channel.ID, "Rain")
	grace.send(channel.ID, "Sun")

	var mine struct{ Data []whatsapp.Newsletter }
	r.call("GET /user/my/newsletters", "/user/my/newsletters", nil, &mine)
	if len(mine.Data) != 1 || mine.Data[0].ID != channel.ID || mine.Data[0].Thread.Name.Text != "Weather" || mine.Data[0].Viewer.Role != "subscriber" {
		t.Fatalf("the channels are %+v", mine.Data)
	}
	var posts struct{ Data []whatsapp.NewsletterMessage }
	r.call("GET /newsletter/messages", "/newsletter/messages?newsletter_id="+channel.ID+"&count=&before=", nil, &posts)
	if len(posts.Data) != 2 || posts.Data[0].Text != "Rain" || posts.Data[1].Text != "Sun" {
		t.Fatalf("the messages are %+v", posts.Data)
	}
	network.must(network.control.ReactInChannel(ctx, own, channel.ID, posts.Data[1].ServerID, "☀"))
	poll(t, "the reaction counts", func() bool {
		r.call("GET /newsletter/messages", "/newsletter/messages?count=1&newsletter_id="+channel.ID, nil, &posts)
		return len(posts.Data) == 1 && posts.Data[0].ReactionCounts["☀"] == 1
	}, nil)
	older := posts.Data[0].ServerID
	r.call("GET /newsletter/messages", "/newsletter/messages?newsletter_id="+channel.ID+"&before="+strconv.Itoa(older), nil, &posts)
	if len(posts.Data) != 1 || posts.Data[0].Text != "Rain" {
		t.Errorf("the older messages are %+v", posts.Data)
	}
	r.call("POST /newsletter/unfollow", "/newsletter/unfollow", map[string]any{"newsletter_id": channel.ID}, nil)
	all, err := network.control.Channels(ctx, friend)
	network.must(err)
	if len(all) != 1 || all[0].Followers != 0 {
		t.Errorf("after unfollowing, its owner sees %+v", all)
	}
	r.call("GET /user/my/newsletters", "/user/my/newsletters", nil, &mine)
	if len(mine.Data) != 0 {
		t.Errorf("after unfollowing: %+v", mine.Data)
	}
	r.fails("POST /newsletter/unfollow", "/newsletter/unfollow", map[string]any{"newsletter_id": channel.ID}, http.StatusForbidden, "FORBIDDEN")
	r.fails("POST /newsletter/unfollow", "/newsletter/unfollow", map[string]any{"newsletter_id": "1@newsletter"}, http.StatusNotFound, "NOT_FOUND")
	r.fails("POST /newsletter/unfollow", "/newsletter/unfollow", map[string]any{}, http.StatusBadRequest, "VALIDATION_ERROR")
	r.fails("GET /newsletter/messages", "/newsletter/messages?count=101&newsletter_id="+channel.ID, nil, http.StatusBadRequest, "VALIDATION_ERROR")
	r.fails("GET /newsletter/messages", "/newsletter/messages?newsletter_id=1@newsletter", nil, http.StatusNotFound, "NOT_FOUND")
}

// TestCallsAPI turns a call down.
func TestCallsAPI(t *testing.T) {
	t.Parallel()
	network := startNetwork(t)
	ada, grace := network.addPhone(own, "Ada"), network.addPhone(friend, "Grace")
	number, api := startNumber(t, network, ada)
	r := api.rest(number.ID)
	call, err := network.control.Call(within(t, patience), friend, own)
	network.must(err)
	is := func(state string) func(phone.View) bool {
		return func(v phone.View) bool {
			return slices.ContainsFunc(v.Calls, func(c phone.Call) bool { return c.ID == call.ID && c.State == state })
		}
	}
	ada.view("the call rings", is("ringing"))
	in := map[string]any{"caller_jid": friend + "@s.whatsapp.net", "call_id": call.ID}
	r.call("POST /call/reject", "/call/reject", in, nil)
	grace.view("the caller hears that it was turned down", is("rejected"))
	ada.view("the phone stops ringing", is("rejected"))
	r.fails("POST /call/reject", "/call/reject", in, http.StatusNotFound, "NOT_FOUND") // it is over
	r.fails("POST /call/reject", "/call/reject", map[string]any{"call_id": "x"}, http.StatusBadRequest, "VALIDATION_ERROR")
	r.fails("POST /call/reject", "/call/reject", map[string]any{"caller_jid": friend}, http.StatusBadRequest, "VALIDATION_ERROR")

	// A number that is linked to no phone says so.
	idle := api.create("Not linked")
	api.code(idle.ID)
	r = api.rest(idle.ID)
	r.fails("POST /call/reject", "/call/reject", in, http.StatusUnauthorized, "AUTHENTICATION_ERROR")
	r.fails("GET /user/my/groups", "/user/my/groups", nil, http.StatusUnauthorized, "AUTHENTICATION_ERROR")
	r.fails("GET /user/my/contacts", "/user/my/contacts", nil, http.StatusUnauthorized, "AUTHENTICATION_ERROR")
	r.fails("POST /group", "/group", map[string]any{"title": "Choir"}, http.StatusUnauthorized, "AUTHENTICATION_ERROR")
}
