package gowatest

import "testing"

func TestCheck(t *testing.T) {
	t.Parallel()
	const js = "application/json; charset=utf-8"
	for body, want := range map[string]string{
		`{"code":"SUCCESS","message":"x","results":{"group_id":"1@g.us"}}`: "",
		`{"code":"SUCCESS","message":"x","results":{"group_id":1}}`:        "POST /group.results.group_id is 1, not of type string",
		`{"code":"SUCCESS","message":"x"}`:                                 "POST /group lacks results",
		`{"code":"SUCCESS","message":"x","results":null}`:                  "POST /group.results is null",
		`[]`: "POST /group is [], not of type object",
		`{"code":"SUCCESS","message":"x","results":{"group_id":"1@g.us"},"more":true}`: "",
	} {
		got := ""
		if err := Check("POST /group", js, []byte(body)); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, not %q", body, got, want)
		}
	}
	outcome := `{"code":"SUCCESS","message":"x","results":[{"participant":"1","status":"success","message":"x","lid":"1"}]}`
	if Check("POST /group/participants", js, []byte(outcome)) == nil {
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
	if len(Names()) != 82 {
		t.Errorf("%d operations", len(Names()))
	}
}
