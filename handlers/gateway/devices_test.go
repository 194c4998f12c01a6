package gateway

import (
	"net/http"
	"strings"
	"testing"

	"switchboard/instances"
)

func TestDevices(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	got := s.send(s.ann, "GET", "/gowa/devices", "{}")
	s.want(got, http.StatusOK, "SUCCESS")
	want := `[{"id":"` + support + `","phone_number":"491700000001","display_name":"Support","state":"logged_in","jid":"491700000001@s.whatsapp.net","created_at":"2026-11-26T12:00:00Z"},` +
		`{"id":"` + sales + `","phone_number":"491700000001","display_name":"Sälés","state":"disconnected","jid":"491700000001@s.whatsapp.net","created_at":"2026-11-26T12:00:00Z"}]`
	if !strings.Contains(got.body, want) {
		t.Errorf("the list is %s", got.body)
	}
	got = s.send(s.bob, "GET", "/gowa/app/devices", "{}")
	if !strings.Contains(got.body, `"results":[{"name":"Bobs","device":"`+bobs+`","jid":""}]`) {
		t.Errorf("the older list is %s", got.body)
	}
	if got = s.send(s.looks, "GET", "/gowa/devices", "{}"); !strings.Contains(got.body, `"results":[]`) {
		t.Errorf("nobody's list is %s", got.body)
	}
	got = s.send(s.ann, "GET", "/gowa/devices/491700000001:8@s.whatsapp.net/status", "{}")
	if !strings.Contains(got.body, `{"device_id":"`+sales+`","is_connected":false,"is_logged_in":true}`) {
		t.Errorf("the status is %s", got.body)
	}
	s.want(s.send(s.ann, "GET", "/gowa/devices/"+bobs, "{}"), http.StatusNotFound, "DEVICE_NOT_FOUND")
	s.want(s.send(s.ann, "PUT", "/gowa/devices", "{}"), http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED")
}

func TestAddAndRemove(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, c := range []struct{ body, media, name string }{
		{"", "application/json", "Device "}, {"{}", "application/json", "Device "},
		{`{"device_id":" org 2 "}`, "application/json", "org 2"}, {"device_id=org+3", "application/x-www-form-urlencoded", "org 3"},
	} {
		got := s.send(s.bob, "POST", "/gowa/devices", c.body, "Content-Type", c.media)
		s.want(got, http.StatusOK, "SUCCESS")
		results, _ := got.Results.(map[string]any)
		if name, _ := results["display_name"].(string); !strings.HasPrefix(name, c.name) || results["state"] != "connecting" || results["jid"] != "" {
			t.Errorf("made of %q: %s", c.body, got.body)
		}
		// What the client called it goes on meaning it.
		got = s.send(s.bob, "GET", "/gowa/devices/"+strings.ReplaceAll(results["display_name"].(string), " ", "%20"), "")
		s.want(got, http.StatusOK, "SUCCESS")
	}
	s.want(s.send(s.bob, "POST", "/gowa/devices", `{"device_id":"org 2"}`), http.StatusBadRequest, "VALIDATION_ERROR")
	s.want(s.send(s.bob, "POST", "/gowa/devices", `{"device_id":7}`), http.StatusBadRequest, "VALIDATION_ERROR")
	s.want(s.send(s.bob, "POST", "/gowa/devices", `{`), http.StatusBadRequest, "VALIDATION_ERROR")
	s.want(s.send(s.bob, "POST", "/gowa/devices", `{"device_id":"`+strings.Repeat("x", 100)+`"}`), http.StatusBadRequest, "VALIDATION_ERROR")
	s.want(s.send(s.bob, "POST", "/gowa/devices", strings.Repeat(" ", 2<<20)), http.StatusRequestEntityTooLarge, "VALIDATION_ERROR")

	s.want(s.send(s.bob, "DELETE", "/gowa/devices/"+bobs, ""), http.StatusOK, "SUCCESS")
	s.want(s.send(s.bob, "GET", "/gowa/devices/"+bobs, ""), http.StatusNotFound, "DEVICE_NOT_FOUND")
	s.want(s.send(s.bob, "DELETE", "/gowa/devices/"+support, ""), http.StatusNotFound, "DEVICE_NOT_FOUND")
}

func TestDeviceCommands(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.serve(func(w http.ResponseWriter, r *http.Request) {
		_ = write(w, r.Method+" "+r.RequestURI, nil)
	})
	got := s.send(s.ann, "GET", "/gowa/devices/"+support+"/login", "{}")
	s.want(got, http.StatusOK, "SUCCESS")
	if got.Message != "GET /app/login" {
		t.Errorf("login asks for %s", got.Message)
	}
	got = s.send(s.ann, "POST", "/gowa/devices/"+support+"/login/code?phone=491700000001", "{}")
	if got.Message != "GET /app/login-with-code?phone=491700000001" {
		t.Errorf("login with a code asks for %s", got.Message)
	}
	s.want(s.send(s.ann, "GET", "/gowa/devices/"+sales+"/login", ""), http.StatusUnauthorized, "AUTHENTICATION_ERROR")
	s.want(s.send(s.ann, "POST", "/gowa/devices/"+support+"/logout", ""), http.StatusOK, "SUCCESS")
	s.want(s.send(s.ann, "POST", "/gowa/devices/"+support+"/reconnect", ""), http.StatusOK, "SUCCESS")
	s.want(s.send(s.ann, "POST", "/gowa/devices/"+sales+"/reconnect", ""), http.StatusOK, "SUCCESS")
	s.want(s.send(s.ann, "GET", "/gowa/app/reconnect", "", "X-Device-Id", sales), http.StatusOK, "SUCCESS")
	if got, want := strings.Join(s.fleet.calls, ", "), "logout "+support+", reconnect "+support+", start "+sales+", start "+sales; got != want {
		t.Errorf("the supervisor was asked to %s", got)
	}
}

// Clients ask for the status of a number above all when it does not run.
func TestStatusOfWhatIsStopped(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.serve(func(w http.ResponseWriter, r *http.Request) { _ = write(w, r.RequestURI, nil) })
	got := s.send(s.ann, "GET", "/gowa/app/status", "{}", "X-Device-Id", sales)
	s.want(got, http.StatusOK, "SUCCESS")
	if !strings.Contains(got.body, `{"device_id":"`+sales+`","is_connected":false,"is_logged_in":true,"jid":"491700000001@s.whatsapp.net"}`) {
		t.Errorf("the status is %s", got.body)
	}
	if got := s.send(s.ann, "GET", "/gowa/app/status", "{}", "X-Device-Id", support); got.Message != "/app/status" {
		t.Errorf("of one that runs, the panel answers %s", got.body)
	}
	s.want(s.send(s.ann, "GET", "/gowa/app/status", "", "X-Device-Id", bobs), http.StatusNotFound, "DEVICE_NOT_FOUND")
}

// A client that takes "logged_in" for usable is never told so of a number that is not.
func TestStates(t *testing.T) {
	t.Parallel()
	for status, want := range map[instances.Status]string{
		instances.Provisioning: "connecting", instances.Idle: "disconnected", instances.Starting: "connecting",
		instances.PairingPhone: "disconnected", instances.PasskeyRequired: "disconnected", instances.Connected: "logged_in",
		instances.Reconnecting: "connecting", instances.LoggedOut: "disconnected", instances.Restricted: "disconnected",
		instances.Outdated: "disconnected", instances.Replaced: "disconnected", instances.Backoff: "connecting",
		instances.Failed: "disconnected", instances.Stopping: "disconnected",
	} {
		if got := state(status); got != want {
			t.Errorf("%s is called %s", status, got)
		}
	}
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	path := "/gowa/devices/" + support + "/webhook"
	const empty = `"results":{"device_id":"` + support + `","webhook_url":"","webhook_secret":"","webhook_events":"","webhook_insecure_skip_verify":false}`
	if got := s.send(s.ann, "GET", path, "{}"); !strings.Contains(got.body, empty) {
		t.Errorf("without one: %s", got.body)
	}
	got := s.send(s.ann, "PATCH", path, `{"webhook_url":"https://hook.example.org/x","webhook_secret":"sesame","webhook_events":" message, Message.Ack ","webhook_insecure_skip_verify":true}`)
	s.want(got, http.StatusOK, "SUCCESS")
	if want := `{"device_id":"` + support + `","webhook_url":"https://hook.example.org/x","webhook_secret":"sesame","webhook_events":"message,message.ack","webhook_insecure_skip_verify":true}`; !strings.Contains(got.body, want) {
		t.Errorf("it is %s", got.body)
	}
	got = s.send(s.ann, "PATCH", path, "webhook_url=https%3A%2F%2Fother.example.org&webhook_insecure_skip_verify=false", "Content-Type", "application/x-www-form-urlencoded")
	if want := `"webhook_url":"https://other.example.org","webhook_secret":"sesame","webhook_events":"message,message.ack","webhook_insecure_skip_verify":false`; !strings.Contains(got.body, want) {
		t.Errorf("what is not said was not kept: %s", got.body)
	}
	for _, body := range []string{`{}`, `{"webhook_url":"ftp://x"}`, `{"webhook_url":7}`, `{"webhook_url":"https://x.example","webhook_insecure_skip_verify":"maybe"}`} {
		s.want(s.send(s.ann, "PATCH", path, body), http.StatusBadRequest, "VALIDATION_ERROR")
	}
	s.want(s.send(s.bob, "PATCH", path, `{"webhook_url":""}`), http.StatusNotFound, "DEVICE_NOT_FOUND")
	if got := s.send(s.ann, "PATCH", path, `{"webhook_url":""}`); !strings.Contains(got.body, empty) {
		t.Errorf("taken away: %s", got.body)
	}

	got = s.send(s.bob, "POST", "/gowa/devices", `{"device_id":"with a hook","webhook_url":"https://hook.example.org"}`)
	results, _ := got.Results.(map[string]any)
	if secret, _ := results["webhook_secret"].(string); results["webhook_url"] != "https://hook.example.org" || len(secret) < 40 || results["display_name"] != "with a hook" {
		t.Errorf("made with a hook: %s", got.body)
	}
	s.want(s.send(s.bob, "POST", "/gowa/devices", `{"device_id":"x","webhook_url":"nowhere"}`), http.StatusBadRequest, "VALIDATION_ERROR")
	if got := s.send(s.bob, "GET", "/gowa/devices", ""); strings.Contains(got.body, `"display_name":"x"`) {
		t.Error("a number was made although its webhook was refused")
	}
}
