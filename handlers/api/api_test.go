package api

import (
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"switchboard/auth"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/journal"
	"switchboard/keys"
	"switchboard/messages"
	"switchboard/resources"
	"switchboard/settings"
	"switchboard/settings/settingstest"
	"switchboard/store"
	"switchboard/webhooks"
	"switchboard/webhooks/webhookstest"
)

// supervisor is a small one that keeps its promises about ownership, names and repeated
// requests, and runs nothing.
type supervisor struct {
	mu        sync.Mutex
	list      []instances.Instance
	requests  map[string]instances.ID
	calls     []string
	worker    http.RoundTripper
	refuse    error // of the next command
	told      chan webhooks.Told
	tells     map[instances.ID]chan webhooks.Told // in the place of told
	streaming sync.WaitGroup                      // calls of Events
	boot      instances.Boot
	rollout   instances.Rollout
}

func (s *supervisor) find(v instances.Viewer, id instances.ID) (*instances.Instance, error) {
	for i := range s.list {
		if s.list[i].ID == id && v.Sees(s.list[i]) {
			return &s.list[i], nil
		}
	}
	return nil, fault.New(fault.NotFound, "There is no such number.")
}

func (s *supervisor) List(v instances.Viewer) (out []instances.Instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range s.list {
		if v.Sees(i) {
			out = append(out, i)
		}
	}
	return out
}

func (s *supervisor) Get(v instances.Viewer, id instances.ID) (instances.Instance, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, err := s.find(v, id)
	if err != nil {
		return instances.Instance{}, err
	}
	return *i, nil
}

func (s *supervisor) Create(_ context.Context, v instances.Viewer, in instances.New) (instances.Instance, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name, err := instances.CheckName(in.Name)
	if err != nil {
		return instances.Instance{}, err
	}
	if id, ok := s.requests[in.RequestID]; ok && in.RequestID != "" {
		i, err := s.find(v, id)
		return *i, err
	}
	i := instances.Instance{
		ID: instances.ID(strings.ToLower(name) + "_20261123070000"), Name: name, Phone: in.Phone, Owner: v.User,
		Desired: instances.Running, Status: instances.Provisioning, Since: time.Now(), CreatedAt: time.Now(), Port: 3001 + len(s.list),
	}
	i.Database = instances.Database{Engine: "sqlite", Main: "whatsapp_" + string(i.ID), Keys: "keys_" + string(i.ID)}
	for _, other := range s.list {
		if strings.EqualFold(other.Name, name) {
			return instances.Instance{}, &fault.Error{Kind: fault.Conflict, Field: "name", Message: "There is already a number with this name."}
		}
	}
	s.list = append(s.list, i)
	s.requests[in.RequestID] = i.ID
	return i, nil
}

// do runs a command on a number that v may see.
func (s *supervisor) do(v instances.Viewer, id instances.ID, call string, change func(*instances.Instance)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, err := s.find(v, id)
	if err != nil {
		return err
	}
	if err := s.refuse; err != nil {
		s.refuse = nil
		return err
	}
	s.calls = append(s.calls, call)
	if change != nil {
		change(i)
	}
	return nil
}

func (s *supervisor) Rename(_ context.Context, v instances.Viewer, id instances.ID, name string) error {
	name, err := instances.CheckName(name)
	if err != nil {
		return err
	}
	return s.do(v, id, "rename", func(i *instances.Instance) { i.Name = name })
}

func (s *supervisor) Delete(_ context.Context, v instances.Viewer, id instances.ID) error {
	return s.do(v, id, "delete", func(i *instances.Instance) { i.Status = instances.Deleting })
}

func (s *supervisor) DeleteForGood(_ context.Context, v instances.Viewer, id instances.ID) error {
	return s.do(v, id, "delete for good", func(i *instances.Instance) { i.Status = instances.Deleting })
}

func (s *supervisor) Start(_ context.Context, v instances.Viewer, id instances.ID) error {
	return s.do(v, id, "start", func(i *instances.Instance) { i.Desired = instances.Running })
}

func (s *supervisor) Stop(_ context.Context, v instances.Viewer, id instances.ID) error {
	return s.do(v, id, "stop", func(i *instances.Instance) { i.Desired = instances.Stopped })
}

func (s *supervisor) Restart(_ context.Context, v instances.Viewer, id instances.ID) error {
	return s.do(v, id, "restart", nil)
}

func (s *supervisor) Reconnect(_ context.Context, v instances.Viewer, id instances.ID) error {
	return s.do(v, id, "reconnect", nil)
}

func (s *supervisor) Logout(_ context.Context, v instances.Viewer, id instances.ID) error {
	return s.do(v, id, "logout", nil)
}

func (s *supervisor) Pair(_ context.Context, v instances.Viewer, id instances.ID) error {
	return s.do(v, id, "pair", nil)
}

func (s *supervisor) PairPhone(_ context.Context, v instances.Viewer, id instances.ID, phone string) (instances.PhoneCode, error) {
	phone, err := instances.CheckPhone(phone)
	if err != nil {
		return instances.PhoneCode{}, err
	}
	return instances.PhoneCode{Code: "ABCD-EFGH", ExpiresAt: time.Date(2026, 11, 23, 8, 0, 0, 0, time.FixedZone("", 3600))},
		s.do(v, id, "pair "+phone, nil)
}

func (s *supervisor) Boot() instances.Boot { return s.boot }

func (s *supervisor) Rollout() instances.Rollout { return s.rollout }

func (s *supervisor) API(v instances.Viewer, id instances.ID) (http.RoundTripper, error) {
	if _, err := s.Get(v, id); err != nil {
		return nil, err
	}
	if s.worker == nil {
		return nil, fault.New(fault.Unavailable, "The number is not running.")
	}
	return s.worker, nil
}

// site is the API as it is mounted, over real accounts and tokens.
type site struct {
	t                            *testing.T
	supervisor                   *supervisor
	settings                     settingstest.Memory
	handler                      http.Handler
	auth                         *auth.Auth
	ownerID, operatorID, lookID  int64
	database                     *sql.DB
	owner, operator, other, look string // tokens
	log                          journal.Log
	backlog                      messages.Backlog
	checkBucket                  func(settings.Bucket) error
}

func newSite(t *testing.T) *site {
	t.Helper()
	db, err := store.Open(t.Context(), "file:"+filepath.Join(t.TempDir(), "panel.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &site{t: t, auth: auth.New(db, auth.Options{}), supervisor: &supervisor{requests: map[string]instances.ID{}}, database: webhookstest.Database(t)}
	s.log = journal.Log{Dir: t.TempDir(), Name: "worker.log"}
	s.ownerID, s.owner = s.person("owner@example.org", auth.Owner)
	s.operatorID, s.operator = s.person("operator@example.org", auth.Operator)
	_, s.other = s.person("other@example.org", auth.Operator)
	s.lookID, s.look = s.person("look@example.org", auth.Viewer)
	router := chi.NewRouter()
	router.Mount("/api/v1", New(s.options()))
	s.handler = router
	return s
}

func (s *site) options() Options {
	return Options{
		Instances: s.supervisor, Auth: s.auth, People: s.auth, Keys: keys.Ring{Settings: &s.settings}, Settings: &s.settings, Webhooks: s.desk(), BasePath: "/wa", URL: "https://panel.example/wa", Log: slog.New(slog.DiscardHandler),
		Usage: func(_ instances.ID, pid int) (resources.Usage, bool) {
			return resources.Usage{CPUPercent: 1.5, RSSBytes: 19 << 20, OwnBytes: 6 << 20, OpenFiles: 21}, pid == 4711
		},
		Bounds:       settings.Bounds{All: instances.Limits{Memory: 512 << 20, CPU: 80, Log: 20 << 20}, Folder: func(instances.ID) int64 { return 60 << 20 }},
		Logs:         func(instances.ID) journal.Log { return s.log },
		MediaBacklog: func(context.Context, instances.ID) (messages.Backlog, error) { return s.backlog, nil },
		CheckBucket:  func(_ context.Context, b settings.Bucket) error { return s.checkBucket(b) },
	}
}

func (s *site) person(email string, role auth.Role) (int64, string) {
	s.t.Helper()
	u, err := s.auth.AddUser(s.t.Context(), auth.NewUser{Email: email, Role: role, LinkOnly: true})
	if err != nil {
		s.t.Fatal(err)
	}
	_, secret, err := s.auth.AddToken(s.t.Context(), email, auth.NewToken{Name: "test"})
	if err != nil {
		s.t.Fatal(err)
	}
	return u.ID, secret
}

// add puts a number of the operator on record.
func (s *site) add(i instances.Instance) instances.ID {
	i.ID, i.Name, i.Owner = "support_20261123070000", "Support", s.operatorID
	s.supervisor.list = append(s.supervisor.list, i)
	return i.ID
}

type reply struct {
	*http.Response
	body string
}

// send sends a request as the holder of token; headers come in pairs. A body is JSON
// unless they say otherwise.
func (s *site) send(token, method, path, body string, headers ...string) reply {
	s.t.Helper()
	r := httptest.NewRequest(method, "/api/v1"+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	res := w.Result()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	s.documented(r, res.StatusCode)
	return reply{res, string(data)}
}

func (s *site) wantStatus(got reply, status int) {
	s.t.Helper()
	if got.StatusCode != status {
		s.t.Fatalf("status %d, want %d: %s", got.StatusCode, status, got.body)
	}
}

// wantProblem checks that an answer is a complete problem document, and returns it.
func (s *site) wantProblem(got reply, status int) problem {
	s.t.Helper()
	s.wantStatus(got, status)
	var p problem
	into(s.t, got, &p)
	if media := got.Header.Get("Content-Type"); media != "application/problem+json" {
		s.t.Errorf("a problem comes as %q", media)
	}
	if p.Type != "about:blank" || p.Title != http.StatusText(status) || p.Status != status || !strings.HasSuffix(p.Detail, ".") {
		s.t.Errorf("the problem is incomplete: %+v", p)
	}
	return p
}

func into(t *testing.T, got reply, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(got.body), v); err != nil {
		t.Fatalf("%v in %q", err, got.body)
	}
}
