package handlers

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"switchboard/auth"
	"switchboard/handlers/api"
	"switchboard/handlers/gateway"
	"switchboard/instances"
	"switchboard/keys"
	"switchboard/resources"
)

// access is who may use a route.
type access int

const (
	anybody access = iota // no session is needed
	signed                // everybody who is signed in
	looks                 // everybody who sees the number in the path
	polls                 // the same, for a part of its page
	changes               // all but viewers, of numbers that they see
	makes                 // all but viewers
	manages               // owners and administrators
	tries                 // whoever sees the number; what viewers may try there is nothing that changes
	copies                // owners and administrators, of numbers that they see
)

// panelRoutes, apiRoutes and gatewayRoutes are every route that there is, and who may use
// it. A route that is missing here fails the test: whoever adds one says here whose it is.
var panelRoutes = map[access]string{
	anybody: `
		GET /healthz   GET /readyz   GET /metrics   GET /setup   GET /setup/{token}   POST /setup   GET /login   POST /login
		GET /sign-in   GET /sign-in/{token}   POST /sign-in   GET /welcome   GET /welcome/{token}   POST /welcome   POST /logout
		GET /login/second   POST /login/second   POST /login/passkey/begin   POST /login/passkey   GET /login/sso   GET /login/sso/callback`,
	signed: `
		GET /   GET /rows   GET /account   POST /account/password   GET /account/security   POST /account/totp   POST /account/totp/confirm
		POST /account/totp/remove   POST /account/recovery   POST /account/passkeys/begin   POST /account/passkeys
		POST /account/passkeys/{passkey}/remove   POST /account/sessions/revoke   POST /account/sessions/{session}/revoke`,
	looks: `
		GET /instances/{id}/webhooks   GET /instances/{id}/deliveries   GET /instances/{id}/deliveries/{delivery}
		GET /instances/{id}   GET /instances/{id}/api   GET /instances/{id}/api/openapi.json   GET /instances/{id}/access   GET /instances/{id}/proxy   GET /instances/{id}/bucket   GET /instances/{id}/limits   GET /instances/{id}/queue   GET /instances/{id}/settings   GET /instances/{id}/search   GET /instances/{id}/log   GET /instances/{id}/log/download`,
	polls: `
		GET /instances/{id}/status   GET /instances/{id}/pairing   GET /instances/{id}/messages   GET /instances/{id}/usage   GET /instances/{id}/log/lines`,
	changes: `
		POST /instances/{id}/settings   POST /instances/{id}/rename   POST /instances/{id}/delete   POST /instances/{id}/messages
		POST /instances/{id}/start   POST /instances/{id}/stop   POST /instances/{id}/restart   POST /instances/{id}/reconnect
		POST /instances/{id}/logout   POST /instances/{id}/pair   POST /instances/{id}/pair-phone
		POST /instances/{id}/bucket   POST /instances/{id}/bucket/check   POST /instances/{id}/bucket/leave   POST /instances/{id}/bucket/forget
		POST /instances/{id}/proxy   POST /instances/{id}/proxy/test   POST /instances/{id}/queue/{send}/cancel
		POST /instances/{id}/passkey   POST /instances/{id}/passkey/confirm
		POST /instances/{id}/webhooks   GET /instances/{id}/webhooks/{webhook}   POST /instances/{id}/webhooks/{webhook}   POST /instances/{id}/webhooks/{webhook}/pause   POST /instances/{id}/webhooks/{webhook}/resume
		POST /instances/{id}/webhooks/{webhook}/delete   POST /instances/{id}/webhooks/{webhook}/reveal   POST /instances/{id}/webhooks/{webhook}/rotate
		POST /instances/{id}/webhooks/{webhook}/test   POST /instances/{id}/webhooks/{webhook}/retry   POST /instances/{id}/deliveries/resend
		POST /instances/{id}/keys   POST /instances/{id}/keys/{key}/revoke`,
	makes: `
		GET /instances/new   POST /instances   POST /import   POST /account/tokens   POST /account/tokens/{token}/revoke`,
	manages: `
		GET /people   GET /people/new   POST /people   POST /people/second-step   GET /people/{person}   POST /people/{person}   POST /people/{person}/link
		POST /people/{person}/disable   POST /people/{person}/enable   POST /people/{person}/delete   POST /people/{person}/factors/reset
		POST /people/{person}/sessions/{session}/revoke   GET /audit   GET /audit/export
		GET /webhooks   POST /webhooks   GET /webhooks/{webhook}   POST /webhooks/{webhook}   POST /webhooks/{webhook}/pause   POST /webhooks/{webhook}/resume
		POST /webhooks/{webhook}/delete   POST /webhooks/{webhook}/reveal   POST /webhooks/{webhook}/rotate
		GET /groups/new   POST /groups   GET /groups/{group}   POST /groups/{group}   POST /groups/{group}/delete
		GET /system   POST /system/restore   POST /system/deleted/{file}/restore   POST /system/deleted/{file}/forget`,
	tries:  `POST /instances/{id}/api`,
	copies: `POST /instances/{id}/backup   POST /instances/{id}/limits   POST /instances/{id}/limits/more-room`,
}

var apiRoutes = map[access]string{
	signed: `GET /openapi.json   GET /stats   GET /instances   GET /events`,
	looks: `
		GET /instances/{id}   GET /instances/{id}/qr   GET /instances/{id}/keys   GET /instances/{id}/bucket   GET /instances/{id}/limits   GET /instances/{id}/settings   GET /instances/{id}/logs
		GET /instances/{id}/webhooks   GET /instances/{id}/webhooks/{webhook}
		GET /instances/{id}/deliveries   GET /instances/{id}/deliveries/{delivery}
		POST /instances/{id}/user/lookup   GET /instances/{id}/user/blocked   GET /instances/{id}/user/resolve   GET /instances/{id}/community/groups
		GET /instances/{id}/message/{message_id}/votes   GET /instances/{id}/messages/{message}   GET /instances/{id}/queue
		GET /instances/{id}/api   GET /instances/{id}/api/*`,
	changes: `
		POST /instances/{id}/messages   DELETE /instances/{id}/queue/{send}
		POST /instances/{id}/message/{message_id}/vote   POST /instances/{id}/chat/{chat_jid}/mute   POST /instances/{id}/chat/{chat_jid}/unread   POST /instances/{id}/community
		POST /instances/{id}/community/groups   POST /instances/{id}/newsletter   POST /instances/{id}/newsletter/follow
		POST /instances/{id}/newsletter/mute   POST /instances/{id}/user/about   POST /instances/{id}/user/blocked
		POST /instances/{id}/bucket/check   PATCH /instances/{id}   PATCH /instances/{id}/settings   DELETE /instances/{id}   POST /instances/{id}/start   POST /instances/{id}/stop
		POST /instances/{id}/restart   POST /instances/{id}/reconnect   POST /instances/{id}/logout   POST /instances/{id}/pair
		POST /instances/{id}/pair-code   POST /instances/{id}/keys   DELETE /instances/{id}/keys/{key}
		POST /instances/{id}/webhooks   PATCH /instances/{id}/webhooks/{webhook}   DELETE /instances/{id}/webhooks/{webhook}
		POST /instances/{id}/webhooks/{webhook}/reveal   POST /instances/{id}/webhooks/{webhook}/rotate
		POST /instances/{id}/webhooks/{webhook}/test   POST /instances/{id}/webhooks/{webhook}/resume
		POST /instances/{id}/deliveries/resend   POST /instances/{id}/deliveries/{delivery}/resend
		POST /instances/{id}/api   PUT /instances/{id}/api   PATCH /instances/{id}/api   DELETE /instances/{id}/api
		POST /instances/{id}/api/*   PUT /instances/{id}/api/*   PATCH /instances/{id}/api/*   DELETE /instances/{id}/api/*`,
	makes: `POST /instances`,
	manages: `
		GET /users   POST /users   GET /users/{user}   PATCH /users/{user}   DELETE /users/{user}   POST /users/{user}/link
		GET /groups   POST /groups   PUT /groups/{group}   DELETE /groups/{group}   GET /second-step   PUT /second-step
		GET /tokens   POST /tokens   DELETE /tokens/{token}   GET /audit   PATCH /instances/{id}/limits
		GET /webhooks   POST /webhooks   GET /webhooks/{webhook}   PATCH /webhooks/{webhook}   DELETE /webhooks/{webhook}
		POST /webhooks/{webhook}/reveal   POST /webhooks/{webhook}/rotate`,
}

var gatewayRoutes = map[access]string{
	anybody: `GET /health`,
	signed:  `GET /   GET /app/info   GET /app/devices   GET /ws   GET /devices`,
	looks:   `GET /devices/{device}   GET /devices/{device}/status`,
	changes: `GET /devices/{device}/webhook   PATCH /devices/{device}/webhook   DELETE /devices/{device}   GET /devices/{device}/login   POST /devices/{device}/login/code   POST /devices/{device}/logout   POST /devices/{device}/reconnect`,
	makes:   `POST /devices`,
}

// whose turns a table round: the access of each route.
func whose(t *testing.T, table map[access]string) map[string]access {
	t.Helper()
	all := map[string]access{}
	for a, list := range table {
		words := strings.Fields(list)
		for i := 0; i < len(words); i += 2 {
			route := words[i] + " " + words[i+1]
			if _, twice := all[route]; twice {
				t.Errorf("%s stands twice in the table", route)
			}
			all[route] = a
		}
	}
	return all
}

// walked are the routes of a router; every one has to be in the table, and no other.
func walked(t *testing.T, name string, router chi.Routes, table map[string]access) []routed {
	t.Helper()
	var all []routed
	left := map[string]bool{}
	for route := range table {
		left[route] = true
	}
	err := chi.Walk(router, func(method, pattern string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		r := routed{method: method, pattern: pattern}
		if strings.HasPrefix(pattern, "/static/") || strings.HasPrefix(pattern, "/api/v1/") || strings.HasPrefix(pattern, "/gowa/") {
			return nil
		}
		if _, known := table[r.String()]; !known {
			t.Errorf("%s: %s is in no table: say in access_test.go who may use it", name, r)
			return nil
		}
		delete(left, r.String())
		all = append(all, r)
		return nil
	})
	if err != nil || len(all) == 0 {
		t.Fatalf("%s: %d routes, %v", name, len(all), err)
	}
	for route := range left {
		t.Errorf("%s: %s is in the table and nowhere else", name, route)
	}
	return all
}

const foreign = instances.ID("back_office_20260101120000")

// office is an installation with everybody in it. Operator and viewer were given the number
// known, and nobody gave them foreign.
type office struct {
	*site
	api, gateway chi.Routes
	browsers     map[auth.Role]*browser
	tokens       map[auth.Role]string
	scoped       map[auth.Scope]string // of the owner
}

var everyRole = []auth.Role{auth.Owner, auth.Administrator, auth.Operator, auth.Viewer}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{browsers: map[auth.Role]*browser{}, tokens: map[auth.Role]string{}, scoped: map[auth.Scope]string{}}
	var mounted Options
	o.site = newSite(t, func(options *Options) { mounted = *options })
	a := api.New(api.Options{
		Instances: o.numbers, Auth: o.auth, People: o.auth, Audit: o.audit, Log: mounted.Log, Keys: keys.Ring{Settings: o.settings}, Settings: o.settings, Webhooks: o.webhooks, Logs: mounted.Logs, Bounds: mounted.Bounds,
		Usage: func(instances.ID, int) (resources.Usage, bool) { return resources.Usage{}, false },
	})
	g := gateway.New(gateway.Options{Instances: o.numbers, Auth: o.auth, Settings: o.settings, Log: mounted.Log})
	o.api, o.gateway = a.(chi.Routes), g.(chi.Routes)
	mounted.Auth, mounted.API, mounted.Gateway, mounted.Workers = o.auth, a, g, o.numbers
	o.handler = New(mounted)
	o.server = &server{Options: mounted, crossOrigin: http.NewCrossOriginProtection()}

	for i, role := range everyRole {
		address := string(role) + "@example.org"
		u, err := o.auth.AddUser(t.Context(), auth.NewUser{Email: address, Role: role, Password: password})
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			o.owner = u.ID
		}
		if !u.ManagesPeople() {
			owner := o.userByEmail("owner@example.org")
			if _, err := o.auth.ChangeUser(t.Context(), owner, u.ID, auth.Change{Grant: &auth.Grant{Numbers: []instances.ID{known}}}); err != nil {
				t.Fatal(err)
			}
		}
		if _, o.tokens[role], err = o.auth.AddToken(t.Context(), address, auth.NewToken{Name: "test"}); err != nil {
			t.Fatal(err)
		}
		b := o.browser()
		b.get("/login")
		if got := b.post("/login", "email", address, "password", password); got.code != http.StatusSeeOther {
			t.Fatalf("sign in: %d", got.code)
		}
		b.get("/account")
		o.browsers[role] = b
	}
	for _, scope := range auth.Scopes {
		var err error
		if _, o.scoped[scope], err = o.auth.AddToken(t.Context(), "owner@example.org", auth.NewToken{Name: "test", Scopes: []auth.Scope{scope}}); err != nil {
			t.Fatal(err)
		}
	}
	o.fill()
	return o
}

// fill brings the two numbers back as they were.
func (o *office) fill() {
	mine := connected(o.owner)
	other := mine
	other.ID, other.Name, other.JID = foreign, "Back office", "491701234568:7@s.whatsapp.net"
	o.numbers.set(mine)
	o.numbers.set(other)
}

// Outbox answers for every worker, and so does Events.
func (f *fakeNumbers) Outbox(_ context.Context, v instances.Viewer, id instances.ID, what string, in, _ any) error {
	if _, err := f.Get(v, id); err != nil {
		return err
	}
	text, err := json.Marshal(in)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.outbox = append(f.outbox, what+" "+string(text))
	return err
}

func (f *fakeNumbers) Events(ctx context.Context, _ instances.Viewer, _ instances.ID, _ string, _ func(json.RawMessage) error) error {
	<-ctx.Done()
	return ctx.Err()
}

// API answers for every worker.
func (f *fakeNumbers) API(v instances.Viewer, id instances.ID) (http.RoundTripper, error) {
	_, err := f.Get(v, id)
	return answering{}, err
}

type answering struct{}

func (answering) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	_, _ = io.WriteString(w, "{}")
	answer := w.Result()
	answer.Request = r
	return answer, nil
}

func path(pattern string, id instances.ID) string {
	return strings.NewReplacer("{id}", string(id), "{device}", string(id), "{token}", "none", "{session}", "none", "{key}", "none",
		"{webhook}", "none", "{delivery}", "none", "{person}", "17", "{passkey}", "none", "{file}", "none", "{message}", "none", "{send}", "none", "{chat_jid}", "491701234567@s.whatsapp.net", "{user}", "17", "{group}", "none", "/*", "/user/info").Replace(pattern)
}

// want is what somebody should get for a route: 0 for anything that is no refusal. role ""
// is nobody.
func want(a access, role auth.Role, id instances.ID) int {
	sees := id == known || role == auth.Owner || role == auth.Administrator
	switch {
	case a == anybody:
		return 0
	case role == "":
		return http.StatusUnauthorized
	case (a == copies || a == tries) && !sees:
		return http.StatusNotFound
	case (a == manages || a == copies) && role != auth.Owner && role != auth.Administrator, (a == makes || a == changes || a == tries) && role == auth.Viewer:
		return http.StatusForbidden
	case (a == looks || a == polls || a == changes) && !sees:
		return http.StatusNotFound
	}
	return 0
}

// unlike says how an answer differs from what was wanted, "" if it does not. Where the path
// names something besides a number that does not exist, the answer may say so.
func unlike(r routed, got, want int) bool {
	refusal := []int{http.StatusUnauthorized, http.StatusForbidden}
	// What is tried there is named in the form; without a name there is no such operation.
	tries := r.String() == "POST /instances/{id}/api"
	if !tries && (strings.Count(r.pattern, "{") == 0 || strings.Count(r.pattern, "{") == 1 && (strings.Contains(r.pattern, "{id}") || strings.Contains(r.pattern, "{device}"))) {
		refusal = append(refusal, http.StatusNotFound)
	}
	if want == 0 {
		return slices.Contains(refusal, got) || got >= http.StatusInternalServerError
	}
	return got != want
}

// TestWhoMayWhat walks every route × every role × own and foreign numbers, of the panel, the
// management API and the gateway.
func TestWhoMayWhat(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	table := whose(t, panelRoutes)
	for _, r := range walked(t, "panel", o.server.routes(), table) {
		for _, role := range append(everyRole, "") {
			for _, id := range []instances.ID{known, foreign} {
				a := table[r.String()]
				if id == foreign && (a == signed || a == makes || a == manages) {
					continue
				}
				if a == anybody {
					continue // who gets in there is what the tests of signing in are about
				}
				got, where := o.visit(role, r, path(r.pattern, id), a == polls)
				expected := want(a, role, id)
				if unlike(r, got, expected) {
					t.Errorf("%s, %s, %s: %d, want %d", r, or(string(role), "nobody"), where, got, expected)
				}
			}
		}
	}
	table = whose(t, apiRoutes)
	for _, r := range walked(t, "API", o.api, table) {
		o.programs(t, r, "/api/v1", table[r.String()])
	}
	table = whose(t, gatewayRoutes)
	for _, r := range walked(t, "gateway", o.gateway, table) {
		if table[r.String()] == anybody {
			continue
		}
		o.programs(t, r, "/gowa", table[r.String()])
	}
	// What the gateway passes on is in no router of its own.
	for route, a := range map[string]access{
		"GET /user/info": looks, "GET /chats": looks, "GET /app/status": looks, "GET /app/logout": changes, "GET /%61pp/logout": changes,
		"POST /send/message": changes, "POST /group": changes, "DELETE /anything": changes,
	} {
		method, pattern, _ := strings.Cut(route, " ")
		o.programs(t, routed{method: method, pattern: pattern}, "/gowa", a)
	}
}

func or(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}

// visit asks the panel as somebody with that role.
func (o *office) visit(role auth.Role, r routed, path string, poll bool) (status int, where string) {
	o.t.Helper()
	o.fill()
	b := o.browser()
	if role != "" {
		b = o.browsers[role]
	} else {
		b.get("/login")
	}
	var got answer
	switch {
	case r.method != http.MethodGet:
		got = b.post(path)
	case poll:
		got = b.poll(path)
		if got.code == http.StatusNoContent && got.header.Get("HX-Redirect") == "/" {
			got.code = http.StatusNotFound // as the page of a number that is gone is told
		}
	default:
		got = b.get(path)
	}
	if strings.HasPrefix(got.header.Get("Location"), "/login") && r.String() != "POST /logout" {
		got.code = http.StatusUnauthorized
	}
	return got.code, path
}

// programs walks one route of the API or the gateway with the tokens of every role, and of
// every scope.
func (o *office) programs(t *testing.T, r routed, prefix string, a access) {
	t.Helper()
	ask := func(token string, id instances.ID) int {
		o.fill()
		body := "{}"
		switch { // nobody makes a key or a token that may more than their own token
		case strings.HasSuffix(r.pattern, "/keys"):
			body = `{"scopes":["manage"]}`
		case r.pattern == "/tokens":
			body = `{"scopes":["admin"]}`
		}
		request := httptest.NewRequest(r.method, "http://panel.test"+prefix+path(r.pattern, id), strings.NewReader(body))
		request.Header.Set("Content-Type", "application/json")
		if token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
		request.Header.Set("X-Device-Id", string(id))
		w := httptest.NewRecorder()
		o.handler.ServeHTTP(w, request)
		return w.Code
	}
	for _, role := range append(everyRole, "") {
		for _, id := range []instances.ID{known, foreign} {
			if id == foreign && (a == signed || a == makes || a == manages) {
				continue
			}
			if got, expected := ask(o.tokens[role], id), want(a, role, id); unlike(r, got, expected) {
				t.Errorf("%s%s, %s, %s: %d, want %d", prefix, r, or(string(role), "nobody"), id, got, expected)
			}
		}
	}
	needed := auth.Read
	switch {
	case a == manages:
		needed = auth.Admin
	case strings.HasPrefix(r.pattern, "/send"), strings.HasPrefix(r.pattern, "/instances/{id}/chat/"), strings.HasPrefix(r.pattern, "/instances/{id}/message/") && a == changes, r.String() == "POST /instances/{id}/messages", r.String() == "DELETE /instances/{id}/queue/{send}":
		needed = auth.Send
	case a == changes || a == makes:
		needed = auth.Manage
	}
	for _, scope := range auth.Scopes {
		got := ask(o.scoped[scope], known)
		if refused := got == http.StatusForbidden; refused == (scope == needed) {
			t.Errorf("%s%s with the scope %s: %d; it needs %s", prefix, r, scope, got, needed)
		}
	}
}

// A person who loses a number loses it everywhere at their next request.
func TestWhatIsTakenAwayIsGone(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	operator := o.userByEmail("operator@example.org")
	if got, _ := o.visit(auth.Operator, routed{method: "GET"}, "/instances/"+string(known), false); got != http.StatusOK {
		t.Fatalf("before: %d", got)
	}
	b := o.browsers[auth.Owner]
	b.post("/people/"+strconv.FormatInt(operator.ID, 10), "name", "Op", "role", "operator")
	if got, _ := o.visit(auth.Operator, routed{method: "GET"}, "/instances/"+string(known), false); got != http.StatusNotFound {
		t.Errorf("after: %d", got)
	}
	o.programs(t, routed{method: "GET", pattern: "/instances"}, "/api/v1", signed)
	r := httptest.NewRequest(http.MethodGet, "http://panel.test/api/v1/instances/"+string(known), nil)
	r.Header.Set("Authorization", "Bearer "+o.tokens[auth.Operator])
	w := httptest.NewRecorder()
	o.handler.ServeHTTP(w, r)
	if w.Code != http.StatusNotFound {
		t.Errorf("by token: %d", w.Code)
	}
}
