package api

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"switchboard/audit"
	"switchboard/instances"
	"switchboard/webhooks"
)

type document struct {
	OpenAPI    string                                `json:"openapi"`
	Paths      map[string]map[string]json.RawMessage `json:"paths"`
	Components struct {
		Schemas map[string]struct {
			Properties map[string]struct {
				Enum []string `json:"enum"`
			} `json:"properties"`
			Required []string `json:"required"`
			Enum     []string `json:"enum"`
		} `json:"schemas"`
	} `json:"components"`
}

func read(t *testing.T) (d document) {
	t.Helper()
	if err := json.Unmarshal(openAPI, &d); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(d.OpenAPI, "3.1.") {
		t.Errorf("the document is OpenAPI %q", d.OpenAPI)
	}
	return d
}

// The document lists every route of the router, and no other.
func TestDocumentedRoutes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var exist, documented []string
	err := chi.Walk(newServer(s.options()).mux, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		exist = append(exist, method+" "+strings.Replace(route, "/*", "/{path}", 1))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for path, operations := range read(t).Paths {
		for method, raw := range operations {
			if method == "parameters" {
				continue
			}
			documented = append(documented, strings.ToUpper(method)+" "+path)
			var operation struct {
				OperationID string         `json:"operationId"`
				Summary     string         `json:"summary"`
				Responses   map[string]any `json:"responses"`
			}
			if err := json.Unmarshal(raw, &operation); err != nil {
				t.Fatal(err)
			}
			if operation.Summary == "" || len(operation.Responses) == 0 || ids[operation.OperationID] {
				t.Errorf("%s %s lacks a summary, answers or an id of its own", method, path)
			}
			ids[operation.OperationID] = true
		}
	}
	slices.Sort(exist)
	slices.Sort(documented)
	if !slices.Equal(exist, documented) {
		t.Errorf("the router knows\n%s\nthe document lists\n%s", strings.Join(exist, "\n"), strings.Join(documented, "\n"))
	}
}

// documented checks that the document lists what a request was refused with. Successes come from
// workers, too, and the rest from faults that tests invent.
func (s *site) documented(r *http.Request, status int) {
	s.t.Helper()
	if !slices.Contains([]int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusUnsupportedMediaType}, status) {
		return
	}
	found := chi.NewRouteContext()
	if !newServer(s.options()).mux.Match(found, r.Method, strings.TrimPrefix(r.URL.Path, "/api/v1")) {
		return
	}
	route := strings.Replace(found.RoutePattern(), "/*", "/{path}", 1)
	var operation struct {
		Responses map[string]any `json:"responses"`
	}
	if err := json.Unmarshal(read(s.t).Paths[route][strings.ToLower(r.Method)], &operation); err != nil {
		s.t.Fatal(err)
	}
	_, known := operation.Responses[strconv.Itoa(status)]
	if _, anything := operation.Responses["default"]; !known && !anything {
		s.t.Errorf("%s %s answered %d, which the document does not list", r.Method, route, status)
	}
}

// Whatever takes a body says how a wrong one is refused.
func TestDocumentedRefusalsOfBodies(t *testing.T) {
	t.Parallel()
	for path, operations := range read(t).Paths {
		for method, raw := range operations {
			var operation struct {
				RequestBody json.RawMessage `json:"requestBody"`
				Responses   map[string]any  `json:"responses"`
			}
			if method == "parameters" {
				continue
			}
			if err := json.Unmarshal(raw, &operation); err != nil {
				t.Fatal(err)
			}
			for _, status := range []string{"400", "413", "415", "422"} {
				if _, known := operation.Responses[status]; operation.RequestBody != nil && !known {
					t.Errorf("%s %s does not list %s", method, path, status)
				}
			}
		}
	}
}

// The document names the members that the structs have.
func TestDocumentedMembers(t *testing.T) {
	t.Parallel()
	schemas := read(t).Components.Schemas
	for name, v := range map[string]any{
		"Person": person{}, "Group": group{}, "Token": token{}, "AuditEntry": audit.Entry{},
		"Instance": instance{}, "Resources": usage{}, "Problem": problem{}, "Code": instances.PhoneCode{}, "LogLine": logLine{}, "Stats": stats{}, "Rollout": rollout{}, "Key": key{}, "NewMessage": outgoing{},
		"Webhook": webhook{}, "Standing": standing{}, "WebhookWish": webhooks.Wish{}, "Delivery": delivery{}, "Attempt": attempt{}, "Count": webhooks.Count{}, "Limits": limits{},
	} {
		var members, documented []string
		for field := range reflect.TypeOf(v).Fields() {
			member, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			members = append(members, member)
		}
		for member := range schemas[name].Properties {
			documented = append(documented, member)
		}
		slices.Sort(members)
		slices.Sort(documented)
		if !slices.Equal(members, documented) {
			t.Errorf("%s has %v, the document lists %v", name, members, documented)
		}
	}
	if len(schemas["Instance"].Required) != reflect.TypeOf(instance{}).NumField() {
		t.Error("every member of Instance is always there, and the document has to say so")
	}
}

// Every reference leads somewhere.
func TestDocumentReferences(t *testing.T) {
	t.Parallel()
	var root any
	if err := json.Unmarshal(openAPI, &root); err != nil {
		t.Fatal(err)
	}
	references := 0
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, one := range v {
				walk(one)
			}
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				references++
				at := root
				for _, step := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
					next, _ := at.(map[string]any)
					at = next[step]
				}
				if at == nil {
					t.Errorf("%s leads nowhere", ref)
				}
			}
			for _, one := range v {
				walk(one)
			}
		}
	}
	walk(root)
	if references == 0 {
		t.Error("the document has no references: this test looks in the wrong place")
	}
}

func TestDocumentIsServed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	got := s.send(s.look, "GET", "/openapi.json", "")
	s.wantStatus(got, http.StatusOK)
	if got.body != string(openAPI) || got.Header.Get("Content-Type") != "application/json" {
		t.Error("what is served is not the document")
	}
}
