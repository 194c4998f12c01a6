package gowa

import (
	"net/http"
	"strings"

	"switchboard/instances"
)

// Account is what the operations of the account need.
type Account interface {
	Report() instances.Report
}

var appRoutes = []route{
	{method: http.MethodGet, path: "/app/status", do: (*API).status},
}

type status struct {
	IsConnected bool   `json:"is_connected"`
	IsLoggedIn  bool   `json:"is_logged_in"`
	DeviceID    string `json:"device_id"`
	JID         string `json:"jid"`
}

func (a *API) status(*request) (string, any, error) {
	r := a.o.Number.Report()
	s := status{DeviceID: string(a.o.ID), IsConnected: r.Status == instances.Connected}
	if loggedIn(r) {
		s.IsLoggedIn, s.JID = true, bare(r.JID)
	}
	return "Connection status retrieved", s, nil
}

// loggedIn says whether the number is linked to a phone, connected or not.
func loggedIn(r instances.Report) bool {
	switch r.Status {
	case instances.Connected, instances.Reconnecting, instances.Restricted, instances.Outdated, instances.Replaced:
		return r.JID != ""
	}
	return false
}

// bare takes the device off a JID.
func bare(jid string) string {
	user, server, found := strings.Cut(jid, "@")
	if !found {
		return jid
	}
	user, _, _ = strings.Cut(user, ":")
	return user + "@" + server
}
