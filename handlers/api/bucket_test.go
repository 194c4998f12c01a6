package api

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/messages"
	"switchboard/settings"
)

func TestBucket(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var tried settings.Bucket
	s.checkBucket = func(b settings.Bucket) error {
		tried = b
		if b.Name == "other" {
			return fault.New(fault.Invalid, "There is no bucket named other at this store.")
		}
		return nil
	}
	id := s.add(instances.Instance{Status: instances.Connected})
	path := "/instances/" + string(id) + "/settings"
	check := "/instances/" + string(id) + "/bucket/check"
	s.wantProblem(s.send(s.operator, "POST", check, `{}`), http.StatusUnprocessableEntity)
	shown := "/instances/" + string(id) + "/bucket"
	if got := strings.TrimSpace(s.send(s.operator, "GET", shown, "").body); got != `{"bucket":null,"earlier":[],"waiting":null}` {
		t.Errorf("without a bucket: %s", got)
	}

	got := s.send(s.operator, "PATCH", path, `{"bucket":{"endpoint":"https://s3.example.com","name":"media","access_key":"a","secret_key":"s3cret"}}`)
	s.wantStatus(got, http.StatusOK)
	if strings.Contains(got.body, "s3cret") || !strings.Contains(got.body, `"name":"media"`) {
		t.Errorf("answered is %s", got.body)
	}
	s.wantStatus(s.send(s.operator, "PATCH", path, `{"bucket":{"prefix":"shop"}}`), http.StatusOK)
	s.wantStatus(s.send(s.operator, "POST", check, `{"bucket":{"region":"eu-central-1"}}`), http.StatusNoContent)
	want := settings.Bucket{Endpoint: "https://s3.example.com", Region: "eu-central-1", Name: "media", Prefix: "shop", AccessKey: "a", SecretKey: "s3cret"}
	if tried != want {
		t.Errorf("tried %+v", tried)
	}
	p := s.wantProblem(s.send(s.operator, "POST", check, `{"bucket":{"name":"other"}}`), http.StatusUnprocessableEntity)
	if p.Detail != "There is no bucket named other at this store." {
		t.Errorf("got %+v", p)
	}
	for body, field := range map[string]string{
		`{"bucket":{"name":"No"}}`: "bucket.name", `{"bucket":{"access_key":"b"}}`: "bucket.secret_key", `{"bucket":{"x":1}}`: "x", `{"days":-1,"bucket":{"name":"No"}}`: "days",
	} {
		if p := s.wantProblem(s.send(s.operator, "PATCH", path, body), http.StatusUnprocessableEntity); p.Field != field {
			t.Errorf("%s: the fault is in %q", body, p.Field)
		}
	}
	if got := s.send(s.operator, "GET", path, "").body; !strings.Contains(got, `"prefix":"shop"`) || strings.Contains(got, "s3cret") {
		t.Errorf("shown is %s", got)
	}
	s.backlog = messages.Backlog{Files: 2, Bytes: 7, Since: time.UnixMilli(1_700_000_000_000).UTC(), Error: "The store does not answer."}
	if got := s.send(s.operator, "GET", shown, "").body; strings.Contains(got, "s3cret") ||
		!strings.Contains(got, `"earlier":["https://s3.example.com/media"],"waiting":{"files":2,"bytes":7,"since":"2023-11-14T22:13:20Z","error":"The store does not answer."}`) {
		t.Errorf("with a bucket: %s", got)
	}
	s.wantStatus(s.send(s.operator, "PATCH", path, `{"bucket":null}`), http.StatusOK)
	set, err := s.settings.Get(t.Context(), id)
	if err != nil || set.Media.Bucket.Set() || len(set.Media.Earlier) != 2 {
		t.Errorf("kept %+v, %v", set.Media, err)
	}
}
