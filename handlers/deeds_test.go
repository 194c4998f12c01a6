package handlers

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"switchboard/audit"
	"switchboard/auth"
	"switchboard/keys"
	"switchboard/reference"
	"switchboard/views"
)

// Whoever adds a route that changes something says in views/audit.go what the audit log calls it.
func TestEveryActionHasWords(t *testing.T) {
	t.Parallel()
	actions := map[string]bool{}
	for _, table := range []map[access]string{panelRoutes, apiRoutes} {
		for _, list := range table {
			for route := range listed(list) {
				if method, pattern, _ := strings.Cut(route, " "); method != http.MethodGet {
					actions[audit.ActionOf(method, pattern)] = true
				}
			}
		}
	}
	for _, o := range reference.Operations() {
		if keys.ScopeOf(o.Method, o.Path, nil) == keys.Manage {
			actions[audit.Named(o.Path)] = true
		}
	}
	for action := range actions {
		did, known := views.Did(audit.Entry{Action: action, Result: audit.OK})
		if !known || !slices.Contains(views.ActionsOf(did), action) {
			t.Errorf("%s reads %q, and is not found by that", action, did)
		}
	}
	if len(actions) < 100 {
		t.Errorf("only %d actions were looked at", len(actions))
	}
}

func TestAuditPageSpeaksToPeople(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.numbers.set(connected(99))
	b := s.signedIn(auth.Owner)
	b.post("/instances/" + string(known) + "/stop")
	b.post("/instances/"+string(known)+"/rename", "name", "")
	b.post("/people", "email", "grace@example.org", "role", "viewer")
	b.post("/groups", "name", "Night shift")
	b.post("/people/"+strconv.FormatInt(s.owner, 10), "email", "")
	b.get("/audit/export?format=csv")
	b.get("/audit").has(t, "grace@example.org viewer", "Night shift", "Tried to change a person")
	b.get("/audit").has(t, "Stopped a number", "Tried to rename a number", "Did not work", "Invited a person", "Downloaded the audit log", `title="instances.stop"`)
	found := b.get("/audit?q=stopped+a+Number")
	found.has(t, "Stopped a number")
	found.lacks(t, "Tried to rename", "Invited")
	found = b.get("/audit?q=front+DESK")
	found.has(t, "Stopped a number", "Tried to rename")
	found.lacks(t, "Invited")
	b.get("/audit?q=instances.stop").has(t, "Stopped a number")
	got := b.get("/audit/export?format=csv&q=stopped")
	if !strings.Contains(got.body, "instances.stop") || strings.Contains(got.body, "people.create") {
		t.Errorf("the export says %q", got.body)
	}
}
