package gateway

import (
	"net/http"
	"net/url"
	"strings"

	"switchboard/instances"
)

// named returns the number that a request names: by the header X-Device-Id, which may be
// percent-encoded, by the query's device_id, or, when there is only one, not at all.
func (s *server) named(r *http.Request) (instances.Instance, error) {
	all := s.visible(r)
	name := strings.TrimSpace(r.Header.Get("X-Device-Id"))
	if decoded, err := url.QueryUnescape(name); err == nil {
		name = strings.TrimSpace(decoded)
	}
	if name == "" {
		name = strings.TrimSpace(r.URL.Query().Get("device_id"))
	}
	if name != "" {
		return find(all, name)
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return instances.Instance{}, &refusal{http.StatusBadRequest, "DEVICE_ID_REQUIRED",
		"device_id is required via X-Device-Id header or device_id query", nil}
}

// visible are the numbers of the person behind a request, oldest first, without those that
// are going.
func (s *server) visible(r *http.Request) []instances.Instance {
	var all []instances.Instance
	for _, i := range s.Instances.List(viewer(r)) {
		if i.Status != instances.Deleting {
			all = append(all, i)
		}
	}
	return all
}

// find looks a number up by what clients know it by: its id, its JID with the device, its
// JID without, and last the name that a client may have chosen as its device_id. Several
// numbers may have been linked to one account: the connected one is meant.
func find(all []instances.Instance, name string) (instances.Instance, error) {
	for _, known := range []func(instances.Instance) string{
		func(i instances.Instance) string { return string(i.ID) },
		func(i instances.Instance) string { return i.JID },
		func(i instances.Instance) string { return bare(i.JID) },
		func(i instances.Instance) string { return i.Name },
	} {
		var found *instances.Instance
		for n := range all {
			if known(all[n]) == name && (found == nil || found.Status != instances.Connected && all[n].Status == instances.Connected) {
				found = &all[n]
			}
		}
		if found != nil {
			return *found, nil
		}
	}
	return instances.Instance{}, &refusal{http.StatusNotFound, "DEVICE_NOT_FOUND",
		"device not found; create a device first from /api/devices or provide a valid X-Device-Id", map[string]string{"device_id": name}}
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
