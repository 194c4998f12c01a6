package e2e

import (
	"bytes"
	"encoding/csv"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"net/http"
	"slices"
	"strings"
	"testing"

	"switchboard/whatsapp"
	"switchboard/whatsapp/simulator/phone"
)

const stranger, third = "491700000009", "491700000003"

// aPNG is a picture of one colour, wider than it is high.
func aPNG(t testing.TB, c color.Color) []byte {
	t.Helper()
	picture := image.NewRGBA(image.Rect(0, 0, 900, 500))
	for x := range 900 {
		for y := range 500 {
			picture.Set(x, y, c)
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, picture); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// sees says whether a phone sees a square JPEG of about that colour.
func (h *handset) sees(of string, want color.Color) {
	h.t.Helper()
	raw, err := h.control.Picture(within(h.t, patience), h.number, of)
	h.must(err)
	picture, err := jpeg.Decode(bytes.NewReader(raw))
	h.must(err)
	if b := picture.Bounds(); b.Dx() != b.Dy() {
		h.t.Errorf("the picture is %v", b)
	}
	r, g, b, _ := picture.At(10, 10).RGBA()
	wr, wg, wb, _ := want.RGBA()
	for i, d := range []int{int(r) - int(wr), int(g) - int(wg), int(b) - int(wb)} {
		if max(d, -d) > 0x0a00 {
			h.t.Errorf("%s sees %x %x %x, differs in %d", h.number, r, g, b, i)
		}
	}
}

// group is a group as the phone sees it.
func (h *handset) group(id string) phone.Group {
	h.t.Helper()
	g, err := h.control.Group(within(h.t, patience), h.number, id)
	h.must(err)
	return g
}

// TestGroupsAPI does everything with groups by a number's REST API and looks on phones what
// became of it.
func TestGroupsAPI(t *testing.T) {
	t.Parallel()
	network := startNetwork(t)
	ada := network.addPhone(own, "Ada")
	grace, joan := network.addPhone(friend, "Grace"), network.addPhone(third, "Joan")
	number, api := startNumber(t, network, ada)
	r := api.rest(number.ID)

	var made struct {
		GroupID string `json:"group_id"`
	}
	create := map[string]any{"title": "Choir", "participants": []string{"+49 170 0000002"}}
	r.call("POST /group", "/group", create, &made)
	group := made.GroupID
	if g := grace.group(group); g.Name != "Choir" || !slices.Contains(g.Members, own) || !slices.Equal(g.Admins, []string{own}) {
		t.Fatalf("the group is %+v", g)
	}
	grace.send(group, "Here I am") // the group is one
	ctx := within(t, 5*patience)   // all of the test
	network.must(network.control.ChangeProfile(ctx, third, map[string]any{"privacy": map[string]string{"groupadd": "none"}}))
	status, _, said := r.ask("POST /group", "/group", map[string]any{"title": "Duo", "participants": []string{third}})
	if status != http.StatusOK || !strings.Contains(string(said), "could not be added") {
		t.Errorf("a group with somebody who cannot be added: %d %s", status, said)
	}
	network.must(network.control.ChangeProfile(ctx, third, map[string]any{"privacy": map[string]string{"groupadd": "all"}}))
	create["participants"] = []string{stranger}
	r.fails("POST /group", "/group", create, http.StatusBadRequest, "INVALID_JID")
	r.fails("POST /group", "/group", map[string]any{"participants": []string{friend}}, http.StatusBadRequest, "VALIDATION_ERROR")
	r.fails("POST /group", "/group", map[string]any{"title": strings.Repeat("x", 101)}, http.StatusBadRequest, "VALIDATION_ERROR")

	// Members.
	persons := func(who ...string) map[string]any { return map[string]any{"group_id": group, "participants": who} }
	change := func(path string, who ...string) []whatsapp.Outcome {
		t.Helper()
		var out []whatsapp.Outcome
		r.call("POST "+path, path, persons(who...), &out)
		return out
	}
	out := change("/group/participants", third, stranger)
	if len(out) != 2 || !out[0].Failed() || out[1].Failed() || out[1].Participant != third+"@s.whatsapp.net" {
		t.Errorf("adding one who exists and one who does not: %+v", out)
	}
	if g := joan.group(group); !slices.Contains(g.Members, third) {
		t.Errorf("who was added sees %+v", g)
	}
	if out := change("/group/participants", third); !out[0].Failed() {
		t.Errorf("adding somebody twice: %+v", out)
	}
	change("/group/participants/promote", third+"@s.whatsapp.net")
	if g := grace.group(group); !slices.Contains(g.Admins, third) {
		t.Errorf("after the promotion: %+v", g)
	}
	var members struct {
		GroupID, Name string
		Participants  []struct {
			JID, LID     string
			PhoneNumber  string `json:"phone_number"`
			DisplayName  string `json:"display_name"`
			IsAdmin      bool   `json:"is_admin"`
			IsSuperAdmin bool   `json:"is_super_admin"`
		}
	}
	r.call("GET /group/participants", "/group/participants?group_id="+group, nil, &members)
	lid := ""
	for _, m := range members.Participants {
		if m.PhoneNumber == third {
			lid = m.LID
			if !m.IsAdmin || m.IsSuperAdmin || m.DisplayName != "Joan" || !strings.HasSuffix(lid, "@lid") {
				t.Errorf("Joan is %+v", m)
			}
		}
	}
	if members.Name != "Choir" || len(members.Participants) != 3 || lid == "" {
		t.Errorf("the members are %+v", members)
	}
	change("/group/participants/demote", lid) // the hidden address will do
	if g := grace.group(group); slices.Contains(g.Admins, third) {
		t.Errorf("after the demotion: %+v", g)
	}
	_, header, body := r.ask("GET /group/participants/export", "/group/participants/export?group_id="+group, nil)
	rows, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
	if err != nil || len(rows) != 4 || strings.Join(rows[0], ",") != "participant_jid,phone_number,lid,display_name,role" ||
		!strings.HasPrefix(header.Get("Content-Type"), "text/csv") {
		t.Errorf("exported: %v %v %s", err, header, body)
	}
	if !slices.ContainsFunc(rows, func(row []string) bool { return row[1] == own && row[4] == "super_admin" }) {
		t.Errorf("exported without an owner: %s", body)
	}
	change("/group/participants/remove", third)
	if g := grace.group(group); slices.Contains(g.Members, third) {
		t.Errorf("after the removal: %+v", g)
	}
	if out := change("/group/participants/remove", third); !out[0].Failed() {
		t.Errorf("removing somebody twice: %+v", out)
	}
	r.fails("POST /group/participants", "/group/participants", persons(), http.StatusBadRequest, "VALIDATION_ERROR")
	r.fails("POST /group/participants", "/group/participants", persons("x"), http.StatusBadRequest, "VALIDATION_ERROR")

	// Settings, as JSON, as a form, as texts.
	set := func(path string, in map[string]any) {
		t.Helper()
		in["group_id"] = group
		r.call("POST "+path, path, in, nil)
	}
	set("/group/name", map[string]any{"name": "Old choir"})
	set("/group/topic", map[string]any{"topic": "We sing on Tuesdays"})
	set("/group/locked", map[string]any{"locked": true})
	set("/group/announce", map[string]any{"announce": "true"})
	if g := grace.group(group); g.Name != "Old choir" || g.Topic != "We sing on Tuesdays" || !g.Locked || !g.Announce {
		t.Errorf("after the changes: %+v", g)
	}
	if _, err := network.control.Send(within(t, patience), friend, group, "may I?"); err == nil {
		t.Error("in a group for announcements anybody writes")
	}
	set("/group/topic", map[string]any{"topic": ""})
	r.call("POST /group/locked", "/group/locked", form{"group_id": group, "locked": "false"}, nil)
	r.call("POST /group/announce", "/group/announce", form{"group_id": group, "announce": "false"}, nil)
	if g := grace.group(group); g.Topic != "" || g.Locked || g.Announce {
		t.Errorf("after taking the changes back: %+v", g)
	}
	r.fails("POST /group/name", "/group/name", map[string]any{"group_id": group, "name": " "}, http.StatusBadRequest, "VALIDATION_ERROR")
	r.fails("POST /group/locked", "/group/locked", map[string]any{"group_id": group}, http.StatusBadRequest, "VALIDATION_ERROR")

	// The picture, which becomes what WhatsApp takes.
	var photo struct {
		PictureID string `json:"picture_id"`
	}
	green := color.RGBA{R: 20, G: 160, B: 60, A: 255}
	r.call("POST /group/photo", "/group/photo", form{"group_id": group, "photo": aPNG(t, green)}, &photo)
	if photo.PictureID == "" {
		t.Error("the picture has no id")
	}
	grace.sees(group, green)
	r.fails("POST /group/photo", "/group/photo", form{"group_id": group, "photo": []byte("no picture")}, http.StatusBadRequest, "INVALID_IMAGE_FORMAT")
	grace.sees(group, green)
	r.call("POST /group/photo", "/group/photo", form{"group_id": group}, nil)
	if _, err := network.control.Picture(within(t, patience), friend, group); err == nil {
		t.Error("the picture is still there")
	}

	// The link, joining by it, and asking to be let in.
	var link struct {
		InviteLink string `json:"invite_link"`
		GroupID    string `json:"group_id"`
	}
	r.call("GET /group/invite-link", "/group/invite-link?group_id="+group+"&reset=", nil, &link)
	first := link.InviteLink
	network.must(network.control.JoinGroup(within(t, patience), third, first))
	if g := grace.group(group); !slices.Contains(g.Members, third) {
		t.Errorf("after joining by the link: %+v", g)
	}
	r.call("GET /group/invite-link", "/group/invite-link?group_id="+group+"&reset=true", nil, &link)
	if link.InviteLink == first || network.control.JoinGroup(within(t, patience), third, first) == nil {
		t.Errorf("the old link %s still works beside %s", first, link.InviteLink)
	}
	change("/group/participants/remove", third)
	network.must(network.control.ChangeGroup(within(t, patience), own, group, map[string]any{"approval": true}))
	network.must(network.control.JoinGroup(within(t, patience), third, link.InviteLink))
	var requests []whatsapp.JoinRequest
	r.call("GET /group/participant-requests", "/group/participant-requests?group_id="+group, nil, &requests)
	if len(requests) != 1 || requests[0].PhoneNumber != third || requests[0].JID != third+"@s.whatsapp.net" || requests[0].RequestedAt.IsZero() {
		t.Errorf("who asks to be let in: %+v", requests)
	}
	if out := change("/group/participant-requests/reject", third, friend); len(out) != 2 || !out[0].Failed() || out[1].Failed() {
		t.Errorf("turning down one who asked and one who did not: %+v", out)
	}
	network.must(network.control.JoinGroup(within(t, patience), third, link.InviteLink))
	change("/group/participant-requests/approve", third)
	if g := joan.group(group); !slices.Contains(g.Members, third) {
		t.Errorf("who was let in sees %+v", g)
	}

	// Everything about the group at once, and all groups.
	var info whatsapp.Group
	r.call("GET /group/info", "/group/info?group_id="+group, nil, &info)
	if info.JID != group || info.Name != "Old choir" || len(info.Participants) != 3 || info.OwnerPN != own+"@s.whatsapp.net" || !info.IsJoinApprovalRequired {
		t.Errorf("the group is %+v", info)
	}
	theirs, err := network.control.CreateGroup(within(t, patience), friend, "Theirs", third)
	network.must(err)
	invitation, err := network.control.GroupLink(within(t, patience), friend, theirs.ID)
	network.must(err)
	var behind struct {
		GroupID, Name    string
		ParticipantCount int `json:"participant_count"`
	}
	r.call("GET /group/info-from-link", "/group/info-from-link?link="+invitation, nil, &behind)
	if behind.Name != "Theirs" || behind.ParticipantCount != 2 {
		t.Errorf("behind the link is %+v", behind)
	}
	r.fails("GET /group/info", "/group/info?group_id="+theirs.ID, nil, http.StatusNotFound, "NOT_FOUND")
	r.call("POST /group/join-with-link", "/group/join-with-link", map[string]any{"link": invitation}, &made)
	if g := grace.group(theirs.ID); made.GroupID != theirs.ID || !slices.Contains(g.Members, own) {
		t.Errorf("after joining %s: %+v", made.GroupID, g)
	}
	var mine struct{ Data []whatsapp.Group }
	r.call("GET /user/my/groups", "/user/my/groups", nil, &mine)
	if len(mine.Data) != 3 { // with the one that Joan could not be added to
		t.Errorf("my groups are %+v", mine.Data)
	}
	r.call("POST /group/leave", "/group/leave", map[string]any{"group_id": theirs.ID}, nil)
	if g := grace.group(theirs.ID); slices.Contains(g.Members, own) {
		t.Errorf("after leaving: %+v", g)
	}
	r.fails("POST /group/leave", "/group/leave", map[string]any{"group_id": theirs.ID}, http.StatusNotFound, "NOT_FOUND")
	r.fails("GET /group/info-from-link", "/group/info-from-link?link=https://example.com/x", nil, http.StatusBadRequest, "VALIDATION_ERROR")
	r.fails("POST /group/join-with-link", "/group/join-with-link", map[string]any{"link": "https://chat.whatsapp.com/nothing"}, http.StatusBadRequest, "VALIDATION_ERROR")

	// Where this number is no admin, nothing of it works, and the answer says so.
	network.must(network.control.ChangeGroup(within(t, patience), own, group, map[string]any{"promote": []string{friend}}))
	network.must(network.control.ChangeGroup(within(t, patience), friend, theirs.ID, map[string]any{"locked": true, "add": []string{own}}))
	r.fails("POST /group/name", "/group/name", map[string]any{"group_id": theirs.ID, "name": "Mine"}, http.StatusForbidden, "FORBIDDEN")
	r.fails("GET /group/invite-link", "/group/invite-link?group_id="+theirs.ID, nil, http.StatusForbidden, "FORBIDDEN")
	r.fails("POST /group/participants/promote", "/group/participants/promote",
		map[string]any{"group_id": theirs.ID, "participants": []string{own}}, http.StatusForbidden, "FORBIDDEN")
	r.fails("GET /group/info", "/group/info?group_id=120363999999999999@g.us", nil, http.StatusNotFound, "NOT_FOUND")
	r.fails("GET /group/info", "/group/info?group_id=x", nil, http.StatusBadRequest, "INVALID_JID")
	r.fails("GET /group/info", "/group/info", nil, http.StatusBadRequest, "VALIDATION_ERROR")
}

// aJPEG is a picture of one colour.
func aJPEG(t testing.TB, c color.Color) []byte {
	t.Helper()
	picture, err := png.Decode(bytes.NewReader(aPNG(t, c)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, picture, nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
