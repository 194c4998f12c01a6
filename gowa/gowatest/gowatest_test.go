package gowatest

import (
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	const js = "application/json; charset=utf-8"
	for body, want := range map[string]string{ // what an error has to say, "" if there is none
		`{"code":"SUCCESS","message":"x","results":{"group_id":"1@g.us"}}`: "",
		`{"code":"SUCCESS","message":"x","results":{"group_id":1}}`:        "group_id",
		`{"code":"SUCCESS","message":"x"}`:                                 "results",
		`{"code":"SUCCESS","message":"x","results":null}`:                  "/results",
		`[]`: "object",
		`{"code":"SUCCESS","message":"x","results":{"group_id":"1@g.us"},"more":true}`: "more",
	} {
		got := ""
		if err := Check("POST /group", js, []byte(body)); err != nil {
			got = err.Error()
		}
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, not %q", body, got, want)
		}
	}
	outcome := `{"code":"SUCCESS","message":"x","results":[{"participant":"1","status":"success","message":"x","lid":"1"}]}`
	if Check("POST /group/participant-requests/approve", js, []byte(outcome)) == nil {
		t.Error("a member that must not be there is not noticed")
	}
	for name, err := range map[string]error{
		"another media type": Check("POST /group", "text/plain", []byte("x")),
		"another operation":  Check("GET /nothing", js, []byte("{}")),
		"half a body":        Check("POST /group", js, []byte("{")),
		"no time":            Check("GET /chats", js, []byte(`{"code":"SUCCESS","message":"x","results":{"data":[{"last_message_time":"soon"}]}}`)),
		"an error as text":   CheckError("text/plain", []byte("no")),
		"a false error":      CheckError(js, []byte(`{"code":"SUCCESS","message":"x"}`)),
	} {
		if err == nil {
			t.Errorf("%s is not noticed", name)
		}
	}
	if err := CheckError(js, []byte(`{"code":"NOT_FOUND","message":"x"}`)); err != nil {
		t.Error(err)
	}
	if len(Names()) != 90 {
		t.Errorf("%d operations", len(Names()))
	}
}
