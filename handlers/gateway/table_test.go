package gateway

import (
	"net/http"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"switchboard/gowa/gowatest"
)

// What docs/rest-api.md says about devices is so.
func TestTableOfDevices(t *testing.T) {
	t.Parallel()
	states, err := gowatest.Table("../..")
	if err != nil {
		t.Fatal(err)
	}
	served := map[string]bool{}
	err = chi.Walk(New(Options{}).(chi.Routes), func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		served[method+" "+strings.Replace(route, "{device}", "{device_id}", 1)] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, state := range states {
		if _, path, _ := strings.Cut(name, " "); strings.HasPrefix(path, "/devices") && served[name] != (state == gowatest.AtGateway) {
			t.Errorf("%s is %s, says docs/rest-api.md", name, state)
		}
	}
}
