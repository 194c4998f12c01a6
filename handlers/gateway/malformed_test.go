package gateway

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// rubbish returns a body that no client means, and its content type.
func rubbish(random *rand.Rand) (contentType, body string) {
	noise := make([]byte, random.IntN(200))
	for i := range noise {
		noise[i] = byte(random.UintN(256))
	}
	names := []string{"device_id", "webhook_url", "webhook_secret", "webhook_events", "webhook_insecure_skip_verify", "x"}
	values := []string{"null", "7", "-1e400", "[]", "{}", `"\ud800"`, "true", `"` + strings.Repeat("a", random.IntN(5000)) + `"`, `["x"]`, `" "`, `"javascript:alert(1)"`, "\"\xff\""}
	pick := func(of []string) string { return of[random.IntN(len(of))] }
	contentType = pick([]string{"application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "multipart/form-data", "text/plain", "", "application/json; charset=x\x01"})
	switch random.IntN(4) {
	case 0:
		return contentType, string(noise)
	case 1:
		return contentType, fmt.Sprintf("{%q:%s,%q:%s}", pick(names), pick(values), pick(names), pick(values))
	case 2:
		return contentType, fmt.Sprintf("--b\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s", pick(names), noise)
	}
	return contentType, strings.Repeat("[", random.IntN(20000)) + string(noise)
}

// Whatever comes, the answer is in the envelope and says what is wrong with it.
func TestMalformed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.serve(func(w http.ResponseWriter, _ *http.Request) {
		respond(w, http.StatusBadRequest, envelope{Code: codeInvalid, Message: "The number refuses it."})
	})
	random := rand.New(rand.NewPCG(1, 2))
	for _, operation := range []string{
		"GET /devices", "POST /devices", "GET /devices/%s", "GET /devices/%s/status", "POST /devices/%s/login/code", "POST /devices/%s/logout",
		"POST /devices/%s/reconnect", "GET /devices/%s/webhook", "PATCH /devices/%s/webhook", "GET /app/devices", "GET /app/info", "GET /ws",
		"POST /send/message", "DELETE /devices/nobody%s",
	} {
		method, path, _ := strings.Cut(operation, " ")
		for broken, want := range map[string]int{"?limit=%x": 400, "?x=%ff": 400} {
			w := s.send(s.ann, method, "/gowa"+strings.Replace(path, "%s", support, 1)+broken, "")
			s.want(w, want, codeInvalid)
		}
		for range 500 {
			name := []string{support, sales, "..", "%00", "%ff%fe", "a%2Fb", strings.Repeat("x", 3000), "%25zz"}[random.IntN(8)]
			contentType, body := rubbish(random)
			r, err := http.NewRequestWithContext(t.Context(), method, s.server.URL+"/gowa"+strings.Replace(path, "%s", name, 1), strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.SetBasicAuth("x", s.ann)
			r.Header["Content-Type"] = []string{contentType}
			r.Header["X-Device-Id"] = []string{[]string{sales, "%", "%zz", "\xff", " ", "a b"}[random.IntN(6)]} // the one that does not run
			w := httptest.NewRecorder()
			r.RequestURI = r.URL.RequestURI()
			s.server.Config.Handler.ServeHTTP(w, r)
			data, err := io.ReadAll(w.Body)
			var e envelope
			if err != nil || w.Code >= 500 || json.Unmarshal(data, &e) != nil || e.Code == "" || e.Message == "" {
				t.Fatalf("%s with %q %.200q: %d %.300s", operation, contentType, body, w.Code, data)
			}
		}
	}
}
