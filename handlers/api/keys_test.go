package api

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"switchboard/instances"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	path := "/instances/" + string(s.add(instances.Instance{Status: instances.Connected})) + "/keys"
	if got := s.send(s.operator, "GET", path, ""); strings.TrimSpace(got.body) != "[]" {
		t.Errorf("without keys: %s", got.body)
	}
	got := s.send(s.operator, "POST", path, `{"name":"shop","scopes":["send","read"],"expires_at":"2099-01-01T00:00:00+01:00"}`)
	s.wantStatus(got, http.StatusCreated)
	var made key
	into(t, got, &made)
	if !strings.HasPrefix(made.Secret, "swk_") || len(made.Scopes) != 2 || made.ExpiresAt.Format(time.RFC3339) != "2098-12-31T23:00:00Z" || made.LastUsed != nil {
		t.Errorf("made is %s", got.body)
	}
	s.supervisor.list[0].KeysUsed = map[string]time.Time{made.ID: time.Now()}
	got = s.send(s.operator, "GET", path, "")
	var list []key
	into(t, got, &list)
	if len(list) != 1 || list[0].ID != made.ID || list[0].Secret != "" || list[0].LastUsed == nil || strings.Contains(got.body, "hash") {
		t.Errorf("the list is %s", got.body)
	}
	for body, field := range map[string]string{
		`{"name":" "}`: "name", `{"name":"x","scopes":["write"]}`: "scopes", `{"name":"x","expires_at":"2020-01-01T00:00:00Z"}`: "expires_at",
	} {
		if p := s.wantProblem(s.send(s.operator, "POST", path, body), http.StatusUnprocessableEntity); p.Field != field {
			t.Errorf("%s: the fault is in %s", body, p.Field)
		}
	}
	s.wantProblem(s.send(s.look, "POST", path, `{"name":"x"}`), http.StatusForbidden)
	s.wantStatus(s.send(s.operator, "DELETE", path+"/"+made.ID, ""), http.StatusNoContent)
	s.wantProblem(s.send(s.operator, "DELETE", path+"/"+made.ID, ""), http.StatusNotFound)
}
