package gowa

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"strings"
	"time"

	"switchboard/whatsapp"
)

// Groups is what the operations on groups need.
type Groups interface {
	Groups(ctx context.Context) ([]whatsapp.Group, error)
	Group(ctx context.Context, id string) (whatsapp.Group, error)
	GroupBehind(ctx context.Context, link string) (whatsapp.Group, error)
	JoinGroup(ctx context.Context, link string) (id string, waits bool, err error)
	CreateGroup(ctx context.Context, n whatsapp.NewGroup) (whatsapp.Group, error)
	LeaveGroup(ctx context.Context, id string) error
	InviteLink(ctx context.Context, id string, reset bool) (string, error)
	GroupMembers
	GroupSettings
}

// GroupMembers is what the operations on the members of groups need.
type GroupMembers interface {
	ChangeMembers(ctx context.Context, id, change string, persons []string) ([]whatsapp.Outcome, error)
	JoinRequests(ctx context.Context, id string) ([]whatsapp.JoinRequest, error)
	Decide(ctx context.Context, id string, persons []string, approve bool) ([]whatsapp.Outcome, error)
}

// GroupSettings is what the operations on the settings of groups need.
type GroupSettings interface {
	SetGroupPhoto(ctx context.Context, id string, jpeg []byte) (string, error)
	SetGroupName(ctx context.Context, id, name string) error
	SetGroupTopic(ctx context.Context, id, topic string) error
	SetGroupLocked(ctx context.Context, id string, locked bool) error
	SetGroupAnnounce(ctx context.Context, id string, announce bool) error
}

var groupRoutes = []route{
	{method: http.MethodPost, path: "/group", do: (*API).createGroup},
	{method: http.MethodGet, path: "/group/info", do: (*API).groupInfo},
	{method: http.MethodGet, path: "/group/info-from-link", do: (*API).groupBehind},
	{method: http.MethodPost, path: "/group/join-with-link", do: (*API).joinGroup},
	{method: http.MethodPost, path: "/group/leave", do: (*API).leaveGroup},
	{method: http.MethodGet, path: "/group/participants", do: (*API).participants},
	{method: http.MethodGet, path: "/group/participants/export", do: (*API).exportParticipants},
	{method: http.MethodPost, path: "/group/participants", do: changeMembers(whatsapp.AddMembers, "Success add participants")},
	{method: http.MethodPost, path: "/group/participants/remove", do: changeMembers(whatsapp.RemoveMembers, "Success delete participants")},
	{method: http.MethodPost, path: "/group/participants/promote", do: changeMembers(whatsapp.PromoteMembers, "Success promote participants")},
	{method: http.MethodPost, path: "/group/participants/demote", do: changeMembers(whatsapp.DemoteMembers, "Success demote participants")},
	{method: http.MethodGet, path: "/group/participant-requests", do: (*API).joinRequests},
	{method: http.MethodPost, path: "/group/participant-requests/approve", do: decide(true)},
	{method: http.MethodPost, path: "/group/participant-requests/reject", do: decide(false)},
	{method: http.MethodPost, path: "/group/photo", do: (*API).setGroupPhoto, files: map[string]int64{"photo": maxImage}},
	{method: http.MethodPost, path: "/group/name", do: (*API).setGroupName},
	{method: http.MethodPost, path: "/group/locked", do: (*API).setGroupLocked},
	{method: http.MethodPost, path: "/group/announce", do: (*API).setGroupAnnounce},
	{method: http.MethodPost, path: "/group/topic", do: (*API).setGroupTopic},
	{method: http.MethodGet, path: "/group/invite-link", do: (*API).inviteLink},
}

// group returns the id of the group that the request is about.
func (r *request) group() string { return r.groupIn("group_id") }

// groupIn returns the id of a group that a required parameter has.
func (r *request) groupIn(name string) string {
	id := strings.TrimSpace(r.required(name))
	if id != "" && !strings.Contains(id, "@") {
		id += groupServer
	}
	return id
}

type groupID struct {
	GroupID string `json:"group_id"`
}

func (a *API) createGroup(r *request) (string, any, error) {
	n := whatsapp.NewGroup{Name: r.required("title"), Participants: r.addresses("participants")}
	if err := r.err(); err != nil {
		return "", nil, err
	}
	g, err := a.o.Number.CreateGroup(r.Context(), n)
	if err != nil {
		return "", nil, err
	}
	message := "Success created group with id " + g.JID
	for _, m := range g.Participants {
		if m.Error != 0 {
			message += fmt.Sprintf("; %s could not be added (%d)", m.JID, m.Error)
		}
	}
	return message, groupID{g.JID}, nil
}

func (a *API) groupInfo(r *request) (string, any, error) {
	id := r.group()
	if err := r.err(); err != nil {
		return "", nil, err
	}
	g, err := a.o.Number.Group(r.Context(), id)
	return "Success get group info", g, err
}

// behindLink is what an invite link says of its group.
type behindLink struct {
	GroupID          string    `json:"group_id"`
	Name             string    `json:"name"`
	Topic            string    `json:"topic"`
	CreatedAt        time.Time `json:"created_at"`
	ParticipantCount int       `json:"participant_count"`
	IsLocked         bool      `json:"is_locked"`
	IsAnnounce       bool      `json:"is_announce"`
	IsEphemeral      bool      `json:"is_ephemeral"`
	Description      string    `json:"description"`
}

func (a *API) groupBehind(r *request) (string, any, error) {
	link := r.required("link")
	if err := r.err(); err != nil {
		return "", nil, err
	}
	g, err := a.o.Number.GroupBehind(r.Context(), link)
	if err != nil {
		return "", nil, err
	}
	return "Success get group info from link", behindLink{
		GroupID: g.JID, Name: g.Name, Topic: g.Topic, CreatedAt: g.GroupCreated.UTC(), ParticipantCount: g.ParticipantCount,
		IsLocked: g.IsLocked, IsAnnounce: g.IsAnnounce, IsEphemeral: g.IsEphemeral, Description: g.Topic,
	}, nil
}

func (a *API) joinGroup(r *request) (string, any, error) {
	link := r.required("link")
	if err := r.err(); err != nil {
		return "", nil, err
	}
	id, waits, err := a.o.Number.JoinGroup(r.Context(), link)
	message := "Success joined group"
	if waits {
		message = "Asked to join the group; an admin has to approve"
	}
	return message, groupID{id}, err
}

func (a *API) leaveGroup(r *request) (string, any, error) {
	id := r.group()
	if err := r.err(); err != nil {
		return "", nil, err
	}
	return "Success leave group", nil, a.o.Number.LeaveGroup(r.Context(), id)
}

type participant struct {
	JID          string `json:"jid"`
	PhoneNumber  string `json:"phone_number"`
	LID          string `json:"lid,omitempty"`
	DisplayName  string `json:"display_name,omitempty"`
	IsAdmin      bool   `json:"is_admin"`
	IsSuperAdmin bool   `json:"is_super_admin"`
}

type participants struct {
	GroupID      string        `json:"group_id"`
	Name         string        `json:"name"`
	Participants []participant `json:"participants"`
}

// participantsOf reads a group's members.
func (a *API) participantsOf(r *request) (participants, error) {
	id := r.group()
	if err := r.err(); err != nil {
		return participants{}, err
	}
	g, err := a.o.Number.Group(r.Context(), id)
	if err != nil {
		return participants{}, err
	}
	out := participants{GroupID: g.JID, Name: g.Name, Participants: make([]participant, len(g.Participants))}
	for i, m := range g.Participants {
		phone, _, _ := strings.Cut(m.PhoneNumber, "@")
		out.Participants[i] = participant{
			JID: m.JID, PhoneNumber: phone, LID: m.LID, DisplayName: m.DisplayName, IsAdmin: m.IsAdmin, IsSuperAdmin: m.IsSuperAdmin,
		}
	}
	return out, nil
}

func (a *API) participants(r *request) (string, any, error) {
	p, err := a.participantsOf(r)
	return "Success getting group participants", p, err
}

func (a *API) exportParticipants(r *request) (string, any, error) {
	p, err := a.participantsOf(r)
	if err != nil {
		return "", nil, err
	}
	return "", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		name, _, _ := strings.Cut(p.GroupID, "@")
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", "group-"+name+"-participants.csv"))
		out := csv.NewWriter(w)
		_ = out.Write([]string{"participant_jid", "phone_number", "lid", "display_name", "role"}) // a client that went away is no one's trouble
		for _, m := range p.Participants {
			role := "member"
			switch {
			case m.IsSuperAdmin:
				role = "super_admin"
			case m.IsAdmin:
				role = "admin"
			}
			_ = out.Write([]string{m.JID, m.PhoneNumber, m.LID, plainCell(m.DisplayName), role})
		}
		out.Flush()
	}), nil
}

// plainCell keeps what a stranger calls themselves from being a formula in the spreadsheet of
// whoever opens the file.
func plainCell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

// membersOf returns the group and the people that a request is about.
func (r *request) membersOf() (id string, persons []string, err error) {
	id, persons = r.group(), r.addresses("participants")
	if len(persons) == 0 {
		r.bad("participants", "cannot be blank.")
	}
	return id, persons, r.err()
}

func changeMembers(change, message string) operation {
	return func(a *API, r *request) (string, any, error) {
		id, persons, err := r.membersOf()
		if err != nil {
			return "", nil, err
		}
		out, err := a.o.Number.ChangeMembers(r.Context(), id, change, persons)
		return sumUp(message, out), out, err
	}
}

// sumUp says in the answer's message if not all went well.
func sumUp(message string, out []whatsapp.Outcome) string {
	failed := 0
	for _, o := range out {
		if o.Failed() {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Sprintf("%d of %d participants could not be changed", failed, len(out))
	}
	return message
}

func (a *API) joinRequests(r *request) (string, any, error) {
	id := r.group()
	if err := r.err(); err != nil {
		return "", nil, err
	}
	all, err := a.o.Number.JoinRequests(r.Context(), id)
	return "Success getting list requested participants", all, err
}

func decide(approve bool) operation {
	return func(a *API, r *request) (string, any, error) {
		id, persons, err := r.membersOf()
		if err != nil {
			return "", nil, err
		}
		message := "Success reject requested participants"
		if approve {
			message = "Success approve requested participants"
		}
		out, err := a.o.Number.Decide(r.Context(), id, persons, approve)
		return sumUp(message, out), out, err
	}
}

type groupPhoto struct {
	PictureID string `json:"picture_id"`
	Message   string `json:"message"`
}

func (a *API) setGroupPhoto(r *request) (string, any, error) {
	id := r.group()
	if err := r.err(); err != nil {
		return "", nil, err
	}
	var picture []byte
	message := "Success remove group photo"
	if file := r.files["photo"]; file != nil && file.size > 0 {
		var err error
		if picture, err = avatar(r.Context(), file); err != nil {
			return "", nil, inField("photo", err)
		}
		message = "Success update group photo"
	}
	pictureID, err := a.o.Number.SetGroupPhoto(r.Context(), id, picture)
	return message, groupPhoto{pictureID, message}, err
}

func (a *API) setGroupName(r *request) (string, any, error) {
	id, name := r.group(), r.required("name")
	if err := r.err(); err != nil {
		return "", nil, err
	}
	return "Success update group name to '" + name + "'", nil, a.o.Number.SetGroupName(r.Context(), id, name)
}

func (a *API) setGroupLocked(r *request) (string, any, error) {
	id, locked := r.group(), r.requiredFlag("locked")
	if err := r.err(); err != nil {
		return "", nil, err
	}
	return "Success set group locked: " + fmt.Sprint(locked), nil, a.o.Number.SetGroupLocked(r.Context(), id, locked)
}

func (a *API) setGroupAnnounce(r *request) (string, any, error) {
	id, announce := r.group(), r.requiredFlag("announce")
	if err := r.err(); err != nil {
		return "", nil, err
	}
	return "Success set group announce: " + fmt.Sprint(announce), nil, a.o.Number.SetGroupAnnounce(r.Context(), id, announce)
}

func (a *API) setGroupTopic(r *request) (string, any, error) {
	id, topic := r.group(), r.text("topic")
	if err := r.err(); err != nil {
		return "", nil, err
	}
	message := "Success update group topic"
	if topic == "" {
		message = "Success remove group topic"
	}
	return message, nil, a.o.Number.SetGroupTopic(r.Context(), id, topic)
}

type groupLink struct {
	InviteLink string `json:"invite_link"`
	GroupID    string `json:"group_id"`
}

func (a *API) inviteLink(r *request) (string, any, error) {
	id, reset := r.group(), r.flag("reset", false)
	if err := r.err(); err != nil {
		return "", nil, err
	}
	link, err := a.o.Number.InviteLink(r.Context(), id, reset)
	return "Success get group invite link", groupLink{link, id}, err
}
