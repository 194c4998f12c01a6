package gowa

import (
	"slices"
	"testing"

	"switchboard/gowa/gowatest"
)

// plumbing answers beside the operations that people call.
var plumbing = []string{"GET /", "GET /statics/qrcode/{name}"}

// The table in docs/rest-api.md has every operation of the specification and every route,
// with the state that it is in.
func TestTableOfOperations(t *testing.T) {
	t.Parallel()
	states, err := gowatest.Table("..")
	if err != nil {
		t.Fatal(err)
	}
	served := append(Operations(), "GET /health")
	for _, name := range gowatest.Names() {
		if states[name] == "" {
			t.Errorf("docs/rest-api.md does not list %s", name)
		}
	}
	for name, state := range states {
		is := slices.Contains(served, name)
		switch state {
		case gowatest.Works:
			if !is {
				t.Errorf("%s works, says docs/rest-api.md, and there is no such route", name)
			}
		case gowatest.AtGateway, gowatest.NotBuilt:
			if is {
				t.Errorf("%s is %s, says docs/rest-api.md, and there is such a route", name, state)
			}
		default:
			t.Errorf("docs/rest-api.md says of %s that it is %q", name, state)
		}
	}
	for _, name := range served {
		if states[name] == "" && !slices.Contains(plumbing, name) {
			t.Errorf("docs/rest-api.md does not list %s", name)
		}
	}
}
