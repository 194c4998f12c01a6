package api

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"switchboard/instances"
)

func TestLog(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	path := "/instances/" + string(s.add(instances.Instance{Status: instances.Idle})) + "/logs"
	got := s.send(s.operator, "GET", path, "")
	if s.wantStatus(got, http.StatusOK); got.body != "[]\n" {
		t.Errorf("a number that never ran has logged %s", got.body)
	}
	text := `{"time":"2026-11-26T12:00:00.5Z","level":"INFO","msg":"worker starts","pid":4711}` + "\n" +
		`{"time":"2026-11-26T12:00:01+01:00","level":"WARN","msg":"connection lost","reason":"closed"}` + "\n"
	if err := os.WriteFile(filepath.Join(s.log.Dir, s.log.Name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		"": `[{"time":"2026-11-26T11:00:01Z","level":"warn","message":"connection lost","facts":{"reason":"closed"}},` +
			`{"time":"2026-11-26T12:00:00.5Z","level":"info","message":"worker starts","facts":{"pid":"4711"}}]`,
		"?level=warn":          `[{"time":"2026-11-26T11:00:01Z","level":"warn","message":"connection lost","facts":{"reason":"closed"}}]`,
		"?text=PID=47&limit=9": `[{"time":"2026-11-26T12:00:00.5Z","level":"info","message":"worker starts","facts":{"pid":"4711"}}]`,
		"?limit=1":             `[{"time":"2026-11-26T11:00:01Z","level":"warn","message":"connection lost","facts":{"reason":"closed"}}]`,
	} {
		got := s.send(s.operator, "GET", path+query, "")
		if s.wantStatus(got, http.StatusOK); got.body != want+"\n" {
			t.Errorf("%s: %s", query, got.body)
		}
	}
	whole := s.send(s.operator, "GET", path, "", "Accept", "application/x-ndjson")
	if whole.body != text || whole.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("%s %q", whole.Header, whole.body)
	}
	for query, field := range map[string]string{"?level=loud": "level", "?limit=0": "limit", "?limit=1001": "limit", "?limit=x": "limit"} {
		if p := s.wantProblem(s.send(s.operator, "GET", path+query, ""), http.StatusUnprocessableEntity); p.Field != field {
			t.Errorf("%s is said to be wrong in %q", query, p.Field)
		}
	}
	s.wantProblem(s.send(s.operator, "GET", path, "", "Accept", "text/html"), http.StatusNotAcceptable)
}
