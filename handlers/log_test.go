package handlers

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"switchboard/auth"
	"switchboard/instances"
)

// logged writes into the log of every number.
func (s *site) logged(lines ...string) {
	s.t.Helper()
	f, err := os.OpenFile(filepath.Join(s.log.Dir, s.log.Name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	for _, line := range lines {
		if _, err := f.WriteString(line + "\n"); err != nil {
			s.t.Fatal(err)
		}
	}
}

const (
	infoLine  = `{"time":"2026-11-26T12:00:00Z","level":"INFO","msg":"worker starts","instance":"x","pid":4711}`
	errorLine = `{"time":"2026-11-26T12:00:01Z","level":"ERROR","msg":"request failed","instance":"x","error":"<b>no</b>"}`
)

func TestLogPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Viewer)
	inst := connected(s.owner)
	inst.Status, inst.Desired, inst.PID = instances.Idle, instances.Stopped, 0 // its process need not run
	s.numbers.set(inst)
	page := "/instances/" + string(known)
	b.get(page).has(t, `href="`+page+`/log"`)
	b.get(page+"/log").has(t, "Nothing was written yet.", `hx-trigger="every 10s"`)

	s.logged(infoLine, errorLine)
	all := b.get(page + "/log")
	all.has(t, "worker starts", "pid=", "4711", "request failed", "&lt;b&gt;no&lt;/b&gt;")
	if strings.Index(all.body, "request failed") > strings.Index(all.body, "worker starts") {
		t.Error("the newest line is not the first")
	}
	only := b.get(page + "/log?level=error&text=NO")
	only.has(t, "request failed", `<option value="error" selected>`, `value="NO"`)
	only.lacks(t, "worker starts")
	b.get(page+"/log?text=elsewhere").has(t, "No line matches.")
	b.get(page+"/log?level=nonsense").has(t, "worker starts", "request failed")
}

var pollURL = regexp.MustCompile(`id="log" hx-get="([^"]+)"`)

func TestLogIsPolled(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	s.numbers.set(connected(s.owner))
	s.logged(infoLine)
	page := b.get("/instances/" + string(known) + "/log?level=error")
	page.has(t, `hx-trigger="every 2s"`)
	url := strings.ReplaceAll(pollURL.FindStringSubmatch(page.body)[1], "&amp;", "&")
	if got := b.poll(url); got.code != http.StatusNoContent {
		t.Errorf("nothing is new: %d %s", got.code, got.body)
	}
	s.logged(errorLine)
	got := b.poll(url)
	got.has(t, "request failed")
	got.lacks(t, "worker starts")
	if again := strings.ReplaceAll(pollURL.FindStringSubmatch(got.body)[1], "&amp;", "&"); b.poll(again).code != http.StatusNoContent {
		t.Error("the same lines are sent again")
	}
}

func TestLogDownload(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	s.numbers.set(connected(s.owner))
	s.logged(infoLine, errorLine)
	got := b.get("/instances/" + string(known) + "/log/download")
	if got.body != infoLine+"\n"+errorLine+"\n" || got.header.Get("Content-Disposition") != `attachment; filename="`+string(known)+`.log"` ||
		!strings.HasPrefix(got.header.Get("Content-Type"), "text/plain") {
		t.Errorf("%v %q", got.header, got.body)
	}
}
