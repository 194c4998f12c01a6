package e2e

import (
	"image/color"
	"net/http"
	"slices"
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
	ctx := within(t, 5*patience) // all of the test
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
