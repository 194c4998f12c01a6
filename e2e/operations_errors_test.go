package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"switchboard/gowa/gowatest"
	"switchboard/whatsapp/simulator/web"
)

// documented is an error in the tables of docs/rest-api.md.
var documented = regexp.MustCompile("(?m)^\\| (\\d{3}) \\| `([A-Z_]+)` \\|")

// gone is an error of gowa's that does not occur here, in the same document.
var gone = regexp.MustCompile("(?m)^\\| `(\\d{3}) ([A-Z_]+)` \\|")

// theirErrors are all that the original answers, by what is known of its behaviour.
const theirErrors = `400 VALIDATION_ERROR, 400 INVALID_JID, 400 ALREADY_LOGGED_IN, 401 AUTHENTICATION_ERROR, 404 NOT_FOUND, 408 CONTEXT_ERROR,
429 WA_REACHOUT_TIMELOCK, 500 WEBHOOK_ERROR, 500 INVALID_WA_CLI, 500 UPLOAD_MEDIA_ERROR, 500 QR_CHANNEL_ERROR, 500 SESSION_SAVED_ERROR,
504 GATEWAY_TIMEOUT, 500 INTERNAL_SERVER_ERROR, 400 BAD_REQUEST, 400 INVALID_GROUP_ID, 400 INVALID_IMAGE_FORMAT,
404 DEVICE_NOT_FOUND, 400 DEVICE_ID_REQUIRED, 503 DEVICE_MANAGER_UNAVAILABLE`

// Every error that docs/rest-api.md has is provoked by an act, and no other; every error of the
// original is there, or it is said why not.
func TestErrorsAreDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/rest-api.md")
	if err != nil {
		t.Fatal(err)
	}
	read := func(row *regexp.Regexp) map[string]bool {
		all := map[string]bool{}
		for _, found := range row.FindAllSubmatch(text, -1) {
			all[fmt.Sprintf("%s %s", found[1], found[2])] = true
		}
		return all
	}
	said, left, provoked := read(documented), read(gone), map[string]bool{}
	for _, a := range acts() {
		if a.refusal() {
			provoked[a.operation] = true
			if !said[a.operation] {
				t.Errorf("docs/rest-api.md lacks %s", a.operation)
			}
		}
	}
	for e := range said {
		if !provoked[e] {
			t.Errorf("%s is never provoked", e)
		}
	}
	for e := range strings.SplitSeq(strings.ReplaceAll(theirErrors, "\n", " "), ",") {
		if e = strings.TrimSpace(e); said[e] == left[e] {
			t.Errorf("docs/rest-api.md does not say what became of %s, or says two things", e)
		}
	}
}

// refusal says whether an act is about an error rather than an operation.
func (a act) refusal() bool { return a.operation[0] >= '0' && a.operation[0] <= '9' }

// refuses asks an operation for what has to be refused with the act's status and code.
func (s *stage) refuses(operation string, in params) []byte {
	s.t.Helper()
	s.asked, s.looked = true, true
	return s.refused(s.operation, operation, in)
}

// toAnn is a request that sends to Ann, unless it says something else.
func (s *stage) toAnn(in params) params {
	all := params{"phone": s.ann.number}
	maps.Copy(all, in)
	return all
}

// withFault has something go wrong for the number while f runs.
func (s *stage) withFault(set func(target web.Target, on bool) error, f func()) {
	s.t.Helper()
	target := web.Target{Number: s.owner.number}
	s.must(set(target, true))
	f()
	s.must(set(target, false))
}

// sendsFail has WhatsApp refuse a message with a code.
func (s *stage) sendsFail(code int) {
	s.t.Helper()
	fail := func(target web.Target, on bool) error {
		if !on {
			return s.control.RefuseSends(within(s.t, patience), target, 0)
		}
		return s.control.RefuseSends(within(s.t, patience), target, code)
	}
	s.withFault(fail, func() { s.refuses("POST /send/message", s.toAnn(params{"message": "x"})) })
}

// as asks in another way than the door has it while f runs.
func (s *stage) as(login func(*http.Request), f func()) {
	before := s.login
	s.login = login
	f()
	s.login = before
}

// unlinkedRefusals are what goes wrong as long as the number is linked to no phone.
var unlinkedRefusals = []act{
	{"401 AUTHENTICATION_ERROR", func(s *stage) {
		for _, operation := range []string{"GET /app/logout", "GET /app/reconnect", "GET /user/my/groups", "GET /user/my/contacts"} {
			s.refuses(operation, nil)
		}
		s.refuses("POST /send/message", s.toAnn(params{"message": "x"}))
		s.refuses("POST /group", params{"title": "Choir"})
		s.refuses("POST /call/reject", params{"caller_jid": s.chat, "call_id": "x"})
	}},
	{"400 VALIDATION_ERROR", func(s *stage) {
		for _, number := range []string{"", "12"} {
			s.refuses("GET /app/login-with-code", params{"phone": number})
		}
		s.refuses("POST /app/passkey/confirm", nil)
		s.refuses("POST /app/passkey/response", params{"id": "x"})
	}},
	{"409 CONFLICT", func(s *stage) {
		control, number, code := s.control, s.owner.number, s.api.code(s.id)
		s.must(control.SetPasskey(within(s.t, patience), number, true))
		scanned := make(chan error, 1)
		go func() {
			_, err := control.Scan(s.whole, number, code)
			scanned <- err
		}()
		s.becomes("passkey_required")
		s.refuses("GET /app/login", nil) // the code was scanned, and more is asked
		s.must(control.SetPasskey(within(s.t, patience), number, false))
		s.api.call(http.MethodPost, "/instances/"+s.id+"/restart", nil, http.StatusOK, nil)
		if err := <-scanned; err == nil {
			s.t.Error("a device that is gone was linked")
		}
		s.becomes("pairing")
	}},
}

// linkedRefusals are what goes wrong with a number that works.
var linkedRefusals = []act{
	{"400 ALREADY_LOGGED_IN", func(s *stage) {
		s.refuses("GET /app/login", nil)
		s.refuses("GET /app/login-with-code", params{"phone": s.owner.number})
	}},
	{"401 AUTHENTICATION_ERROR", func(s *stage) {
		s.as(func(*http.Request) {}, func() { s.refuses("GET /app/status", nil) })
		s.as(func(r *http.Request) { r.SetBasicAuth(s.id, "a guess") }, func() { s.refuses("POST /send/message", s.toAnn(params{"message": "x"})) })
	}},
	{"400 VALIDATION_ERROR", func(s *stage) {
		picture := attachment{"a.png", "image/png", aPhoto(s, 60, 60)}
		not := func(name, text string) attachment { return attachment{name, "", []byte(text)} }
		music := s.serve(append([]byte("ID3\x03\x00\x00\x00\x00\x00\x00"), make([]byte, 5000)...), "audio/mpeg")
		film := append([]byte("\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"), make([]byte, 5000)...)
		for operation, all := range map[string][]params{
			"POST /send/message": {
				{"message": " "}, {"message": "x", "mentions": []string{"@everyone"}}, {"message": "x", "mentions": []string{"nobody"}},
				{"message": "x", "phone": "not a number"}, {"message": "x", "phone": "4917199999999"}, {"message": "x", "duration": 5},
				{"message": "x", "is_forwarded": "perhaps"}, {"message": "x", "phone": ""},
			},
			"POST /send/image": {
				nil, {"image": not("a.png", "no picture")}, {"image": not("a.png", "")}, {"image_url": "http://10.0.0.1/a.png"},
				{"image_url": "file:///etc/passwd"}, {"image_url": s.serve(nil, "image/png")}, {"image": picture, "compress": "perhaps"},
			},
			"POST /send/file":           {nil, {"file_url": "x"}},
			"POST /send/video":          {nil, {"video": not("a.mp4", "<html>")}, {"hd": true, "video": attachment{"a.mp4", "video/mp4", film}}},
			"POST /send/audio":          {nil, {"ptt": true, "audio_url": music}},
			"POST /send/sticker":        {nil, {"sticker": not("a.webp", "no picture")}},
			"POST /send/contact":        {{"contact_name": "Ben"}, {"contact_phone": s.ben.number}, {"contact_name": "Ben", "contact_phone": "x"}},
			"POST /send/link":           {{"link": "no link", "caption": "x"}, {"caption": "x"}},
			"POST /send/location":       {{"latitude": "91", "longitude": "NaN"}, {"latitude": "1"}},
			"POST /send/poll":           {{"question": "?", "options": []string{"a", "a"}, "max_answer": 1}, {"question": "?", "options": []string{"a", "b"}, "max_answer": 3}},
			"POST /send/presence":       {{"type": "asleep"}},
			"POST /send/chat-presence":  {{"action": "sing"}},
			"GET /user/check":           {{"phone": ""}},
			"GET /chats":                {{"limit": 1000}, {"archived": "perhaps"}},
			"POST /group":               {{"participants": []string{s.ann.number}}, {"title": strings.Repeat("x", 101)}},
			"POST /group/name":          {{"group_id": s.group, "name": " "}},
			"POST /user/pushname":       {{"push_name": ""}},
			"GET /newsletter/messages":  {{"newsletter_id": s.channel, "count": 101}},
			"POST /newsletter/unfollow": {nil},
			"POST /call/reject":         {{"call_id": "x"}},
		} {
			for _, in := range all {
				s.refuses(operation, s.toAnn(in))
			}
		}
		theirs := s.hears(s.ann, "theirs", "")
		s.refuses("POST /message/{message_id}/revoke", s.toAnn(params{"message_id": theirs}))
		s.refuses("POST /message/{message_id}/update", s.toAnn(params{"message_id": theirs, "message": "x"}))
		s.refuses("POST /message/{message_id}/read", s.toAnn(params{"message_id": s.says("own")}))
		status, _, body := s.raw("POST /send/image", "", s.toAnn(params{"view_once": true, "image": picture}))
		if status != http.StatusOK {
			s.t.Fatalf("%d %s", status, body)
		}
		s.refuses("POST /message/{message_id}/forward", params{"message_id": answered{s: s, Results: results(body)}.id(), "phone": s.ben.number})
		s.refuses("GET /chat/{chat_jid}/messages", params{"chat_jid": s.chat, "start_time": "yesterday"})
		for what, in := range map[string]params{
			"pin": {"pinned": ""}, "archive": {"archived": "perhaps"}, "label": {"label_id": "x", "labeled": true}, "disappearing": {"timer_seconds": 5},
		} {
			in["chat_jid"] = s.chat
			s.refuses("POST /chat/{chat_jid}/"+what, in)
		}
	}},
	{"400 VALIDATION_ERROR", (*stage).malformed},
	{"400 INVALID_JID", func(s *stage) {
		s.refuses("POST /send/message", params{"phone": "hello@world", "message": "x"})
		s.refuses("GET /user/info", params{"phone": stranger})
		s.refuses("POST /chat/{chat_jid}/disappearing", params{"chat_jid": stranger, "timer_seconds": 0})
		s.refuses("GET /group/info", params{"group_id": "x"})
	}},
	{"400 INVALID_IMAGE_FORMAT", func(s *stage) {
		s.refuses("POST /user/avatar", params{"avatar": attachment{"a.png", "image/png", []byte("no picture")}})
	}},
	{"413 VALIDATION_ERROR", func(s *stage) {
		large := make([]byte, 20_000_001)
		s.refuses("POST /send/image", s.toAnn(params{"image": attachment{"a.png", "image/png", large}}))
		s.refuses("POST /send/image", s.toAnn(params{"image_url": s.serve(large, "image/png")}))
	}},
	{"403 FORBIDDEN", func(s *stage) {
		g, err := s.control.CreateGroup(within(s.t, patience), s.ann.number, "Theirs", s.owner.number)
		s.must(err)
		s.must(s.control.ChangeGroup(within(s.t, patience), s.ann.number, g.ID, params{"locked": true}))
		s.refuses("POST /group/name", params{"group_id": g.ID, "name": "Mine"})
		s.refuses("GET /group/invite-link", params{"group_id": g.ID})
		s.refuses("POST /newsletter/unfollow", params{"newsletter_id": s.channel}) // which it no longer follows
		s.profile(s.ann, params{"privacy": map[string]string{"profile": "none"}})
		s.refuses("GET /user/avatar", params{"phone": s.ann.number})
	}},
	{"404 NOT_FOUND", func(s *stage) {
		s.refuses("GET /nothing", nil)
		s.refuses("POST /send/message", params{"phone": "120363999999999999@g.us", "message": "x"})
		for what, in := range map[string]params{"reaction": {"emoji": "🙏"}, "update": {"message": "x"}, "star": nil, "delete": nil, "forward": nil} {
			in = s.toAnn(in)
			in["message_id"] = "NEVER"
			s.refuses("POST /message/{message_id}/"+what, in)
		}
		s.refuses("GET /message/{message_id}/download", params{"message_id": "NEVER", "phone": s.ann.number})
		s.refuses("GET /chat/{chat_jid}/messages", params{"chat_jid": stranger})
		s.refuses("GET /group/info", params{"group_id": "120363999999999999@g.us"})
		s.refuses("POST /group/leave", params{"group_id": s.group}) // which it has left
		s.refuses("GET /newsletter/messages", params{"newsletter_id": "1@newsletter"})
		s.refuses("GET /user/business-profile", params{"phone": s.ben.number})
	}},
	{"405 METHOD_NOT_ALLOWED", func(s *stage) { s.refuses("GET /send/message", nil) }},
	{"422 IDEMPOTENCY_KEY_REUSED", func(s *stage) {
		login := s.login
		once := func(r *http.Request) {
			login(r)
			r.Header.Set("Idempotency-Key", "once")
		}
		s.as(once, func() {
			if status, _, body := s.raw("POST /send/message", "", s.toAnn(params{"message": "once"})); status != http.StatusOK {
				s.t.Fatalf("%d %s", status, body)
			}
			s.refuses("POST /send/message", s.toAnn(params{"message": "something else"}))
		})
	}},
	{"429 WA_REACHOUT_TIMELOCK", func(s *stage) { s.sendsFail(463) }},
	{"429 TOO_MANY_REQUESTS", func(s *stage) { s.sendsFail(429) }},
	{"500 INTERNAL_SERVER_ERROR", func(s *stage) { s.sendsFail(500) }},
	{"500 UPLOAD_MEDIA_ERROR", func(s *stage) {
		fail := func(target web.Target, on bool) error {
			return s.control.RefuseUploads(within(s.t, patience), target, on)
		}
		s.withFault(fail, func() {
			s.refuses("POST /send/file", s.toAnn(params{"file": attachment{"a.txt", "text/plain", []byte("x")}}))
		})
	}},
	{"400 DEVICE_ID_REQUIRED", func(s *stage) { // there are several numbers
		another := s.api.create("Another")
		s.anonymous(func() { s.refuses("GET /app/status", nil) })
		s.api.delete(another.ID)
	}},
	{"404 DEVICE_NOT_FOUND", func(s *stage) {
		s.anonymous(func() {
			body := s.refuses("GET /app/status", params{"device_id": "nobody"})
			var e struct {
				Message string
				Results struct {
					Device string `json:"device_id"`
				}
			}
			s.must(json.Unmarshal(body, &e))
			s.is(e.Results.Device == "nobody" && strings.HasPrefix(e.Message, "device not found; create a device first"), "it says %s", body)
		})
	}},
	{"504 GATEWAY_TIMEOUT", func(s *stage) {
		mute := func(target web.Target, on bool) error {
			_, err := s.control.Silence(within(s.t, patience), target, on)
			return err
		}
		s.withFault(mute, func() { s.refuses("GET /user/my/privacy", nil) })
		s.usable()
	}},
}

var rubbish = flag.Int("malformed", 8, "how many malformed requests TestOperations sends to each operation; many more are sent in package gowa")

// malformed sends rubbish to every operation. The worker refuses all of it and lives on.
func (s *stage) malformed() {
	s.asked, s.looked = true, true
	states, err := gowatest.Table("..")
	s.must(err)
	before, seed := s.api.get(s.id), rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	door, err := url.Parse(s.url)
	s.must(err)
	for operation, state := range states {
		if state != gowatest.Works || operation == "GET /health" {
			continue
		}
		for range *rubbish {
			r, what := gowatest.Rubbish(s.t.Context(), random, operation)
			r.RequestURI, r.URL.Scheme, r.URL.Host = "", door.Scheme, door.Host
			r.URL.Path = door.Path + r.URL.Path
			if r.URL.RawPath != "" {
				r.URL.RawPath = door.Path + r.URL.RawPath
			}
			raw := r.URL.RawPath
			s.login(r)
			r.URL.RawPath = raw
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				s.t.Fatalf("%s with %s (seed %d): %v", operation, what, seed, err)
			}
			body, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err := gowatest.CheckError(resp.Header.Get("Content-Type"), body); err != nil || resp.StatusCode < 400 || resp.StatusCode > 499 {
				s.t.Errorf("%s with %s (seed %d, %.200q): %d %.300s: %v", operation, what, seed, r.URL, resp.StatusCode, body, err)
				break
			}
		}
	}
	if after := s.api.get(s.id); after.PID != before.PID || after.Status != "connected" {
		s.t.Errorf("it was %+v and is %+v", before, after)
	}
	s.says("still here")
	s.looked = true
}

// anonymous is at the gateway while f runs, and names no number.
func (s *stage) anonymous(f func()) {
	door := s.url
	s.url = strings.TrimSuffix(s.api.url, "/api/v1") + "/gowa"
	s.as(func(r *http.Request) { r.SetBasicAuth("anybody", s.api.token) }, f)
	s.url = door
}
