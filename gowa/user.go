package gowa

import (
	"context"
	"net/http"

	"switchboard/whatsapp"
)

// Users is what the operations about people and the own profile need.
type Users interface {
	UserInfo(ctx context.Context, phone string) (whatsapp.UserInfo, error)
	Picture(ctx context.Context, who string, preview, community bool) (whatsapp.Picture, error)
	OnWhatsApp(ctx context.Context, phone string) (bool, error)
	BusinessProfile(ctx context.Context, phone string) (whatsapp.BusinessProfile, error)
	Contacts(ctx context.Context) ([]whatsapp.Known, error)
	Profile
}

// Profile is what the operations on the own profile need.
type Profile interface {
	SetPicture(ctx context.Context, jpeg []byte) error
	SetPushName(ctx context.Context, name string) error
	Privacy(ctx context.Context) (whatsapp.Privacy, error)
}

var userRoutes = []route{
	{method: http.MethodGet, path: "/user/info", do: (*API).userInfo},
	{method: http.MethodGet, path: "/user/avatar", do: (*API).userAvatar},
	{method: http.MethodPost, path: "/user/avatar", do: (*API).setAvatar, files: map[string]int64{"avatar": maxImage}},
	{method: http.MethodPost, path: "/user/pushname", do: (*API).setPushName},
	{method: http.MethodGet, path: "/user/my/privacy", do: (*API).myPrivacy},
	{method: http.MethodGet, path: "/user/my/groups", do: (*API).myGroups},
	{method: http.MethodGet, path: "/user/my/newsletters", do: (*API).myNewsletters},
	{method: http.MethodGet, path: "/user/my/contacts", do: (*API).myContacts},
	{method: http.MethodGet, path: "/user/check", do: (*API).userCheck},
	{method: http.MethodGet, path: "/user/business-profile", do: (*API).businessProfile},
}

// listed is a list as most operations give it.
type listed[T any] struct {
	Data []T `json:"data"`
}

type userInfo struct {
	Data  []whatsapp.UserInfo `json:"data"`
	Phone string              `json:"resolved_phone,omitempty"`
	LID   string              `json:"resolved_lid,omitempty"`
}

func (a *API) userInfo(r *request) (string, any, error) {
	phone := r.address("phone")
	if err := r.err(); err != nil {
		return "", nil, err
	}
	u, err := a.o.Number.UserInfo(r.Context(), phone)
	if err != nil {
		return "", nil, err
	}
	return "Success get user info", userInfo{Data: []whatsapp.UserInfo{u}, Phone: u.JID, LID: u.LID}, nil
}

func (a *API) userAvatar(r *request) (string, any, error) {
	phone := r.address("phone")
	preview, community := r.flag("is_preview", false), r.flag("is_community", false)
	if err := r.err(); err != nil {
		return "", nil, err
	}
	p, err := a.o.Number.Picture(r.Context(), phone, preview, community)
	if err != nil {
		return "", nil, err
	}
	return "Success get avatar", p, nil
}

func (a *API) setAvatar(r *request) (string, any, error) {
	file := r.files["avatar"]
	if file == nil {
		r.bad("avatar", "a picture has to be sent as a file.")
	}
	if err := r.err(); err != nil {
		return "", nil, err
	}
	picture, err := avatar(r.Context(), file)
	if err != nil {
		return "", nil, inField("avatar", err)
	}
	return "Success change avatar", nil, a.o.Number.SetPicture(r.Context(), picture)
}

func (a *API) setPushName(r *request) (string, any, error) {
	name := r.required("push_name")
	if err := r.err(); err != nil {
		return "", nil, err
	}
	return "Success change push name", nil, a.o.Number.SetPushName(r.Context(), name)
}

func (a *API) myPrivacy(r *request) (string, any, error) {
	p, err := a.o.Number.Privacy(r.Context())
	return "Success get privacy", p, err
}

func (a *API) myGroups(r *request) (string, any, error) {
	all, err := a.o.Number.Groups(r.Context())
	return "Success get list groups", listed[whatsapp.Group]{all}, err
}

func (a *API) myNewsletters(r *request) (string, any, error) {
	all, err := a.o.Number.Newsletters(r.Context())
	return "Success get list newsletter", listed[whatsapp.Newsletter]{all}, err
}

func (a *API) myContacts(r *request) (string, any, error) {
	all, err := a.o.Number.Contacts(r.Context())
	return "Success get list contacts", listed[whatsapp.Known]{all}, err
}

type onWhatsApp struct {
	IsOnWhatsApp bool `json:"is_on_whatsapp"`
}

func (a *API) userCheck(r *request) (string, any, error) {
	phone := r.address("phone")
	if err := r.err(); err != nil {
		return "", nil, err
	}
	is, err := a.o.Number.OnWhatsApp(r.Context(), phone)
	return "Success check user", onWhatsApp{is}, err
}

func (a *API) businessProfile(r *request) (string, any, error) {
	phone := r.address("phone")
	if err := r.err(); err != nil {
		return "", nil, err
	}
	p, err := a.o.Number.BusinessProfile(r.Context(), phone)
	return "Success get business profile", p, err
}
