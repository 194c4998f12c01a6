package api

import (
	"encoding/json"
	"net/http"
	"testing"

	"switchboard/instances"
)

func TestLimits(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id := s.add(instances.Instance{Status: instances.Connected, PID: 4711, Limits: instances.Limits{Memory: 64 << 20, CPU: 80, Log: 20 << 20}})
	path := "/instances/" + string(id) + "/limits"
	same := func(a any, want string) {
		t.Helper()
		var b any
		if err := json.Unmarshal([]byte(want), &b); err != nil {
			t.Fatal(err)
		}
		x, _ := json.Marshal(a)
		y, _ := json.Marshal(b)
		if string(x) != string(y) {
			t.Errorf("got  %s\nwant %s", x, y)
		}
	}
	const (
		all = `"default":{"memory_bytes":536870912,"cpu_percent":80,"open_files":null,"log_bytes":20971520,"disk_bytes":null}`
		// Nothing limits processors where there are no control groups.
		now = `{"memory_bytes":67108864,"cpu_percent":null,"open_files":null,"log_bytes":20971520,"disk_bytes":null}`
	)
	var got any
	into(t, s.send(s.operator, "GET", path, ""), &got)
	same(got, `{"memory_bytes":null,"cpu_percent":null,"open_files":null,"log_bytes":null,"disk_bytes":null,`+all+`,"in_force":`+now+`}`)

	s.wantProblem(s.send(s.operator, "PATCH", path, `{"cpu_percent":50}`), http.StatusForbidden)
	s.wantStatus(s.send(s.owner, "PATCH", path, `{"memory_bytes":67108864,"cpu_percent":50}`), http.StatusOK)
	into(t, s.send(s.owner, "PATCH", path, `{"cpu_percent":null,"disk_bytes":104857600}`), &got)
	same(got, `{"memory_bytes":67108864,"cpu_percent":null,"open_files":null,"log_bytes":null,"disk_bytes":104857600,`+all+`,"in_force":`+now+`}`)

	for body, field := range map[string]string{
		`{"memory_bytes":1}`: "memory_bytes", `{"memory_bytes":67108864.5}`: "memory_bytes", `{"cpu_percent":0}`: "cpu_percent", `{"open_files":-1}`: "open_files", `{"log_bytes":"x"}`: "log_bytes",
		`{"disk_bytes":55000000}`: "disk_bytes", // less than there is
	} {
		if p := s.wantProblem(s.send(s.owner, "PATCH", path, body), http.StatusUnprocessableEntity); p.Field != field {
			t.Errorf("%s: the fault is in %q", body, p.Field)
		}
	}
	s.wantProblem(s.send(s.owner, "PATCH", path, `{"default":{}}`), http.StatusUnprocessableEntity)
}
