package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/color"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"switchboard/gowa/gowatest"
	"switchboard/messages"
	"switchboard/whatsapp/simulator/phone"
	"switchboard/whatsapp/simulator/web"
)

// n8n speaks to the gateway as the node of n8n for gowa does: Basic authentication, a JSON
// body and its content type with every GET, booleans of a form as text, JIDs unescaped in
// the path, empty parameters in the query, and the device as it was typed.
type n8n struct {
	t                testing.TB
	url, token, name string // name is X-Device-Id
	called           map[string]bool
}

// ask calls an operation, whose path ends at a "?".
func (n *n8n) ask(method, path string, in any) (int, http.Header, []byte) {
	n.t.Helper()
	var body bytes.Buffer
	contentType := "application/json"
	if fields, isForm := in.(form); isForm {
		parts := multipart.NewWriter(&body)
		contentType = parts.FormDataContentType()
		for name, value := range fields {
			if text, ok := value.(string); ok {
				_ = parts.WriteField(name, text)
				continue
			}
			part, _ := parts.CreateFormFile(name, name+".bin")
			_, _ = part.Write(value.([]byte))
		}
		_ = parts.Close()
	} else {
		if in == nil {
			in = struct{}{}
		}
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			n.t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(n.t.Context(), method, n.url+path, &body)
	if err != nil {
		n.t.Fatal(err)
	}
	req.URL.RawPath = "" // what net/url would escape, n8n does not
	req.SetBasicAuth("anybody", n.token)
	req.Header.Set("Content-Type", contentType)
	if n.name != "" {
		req.Header.Set("X-Device-Id", n.name)
	}
	resp, err := (&http.Client{Timeout: patience}).Do(req)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, answer
}

// call calls an operation that has to succeed in the form that the specification has for it.
func (n *n8n) call(operation, path string, in any) map[string]any {
	n.t.Helper()
	n.called[operation] = true
	method, _, _ := strings.Cut(operation, " ")
	status, header, body := n.ask(method, path, in)
	if status != http.StatusOK {
		n.t.Errorf("%s: %d %s", operation, status, body)
		return nil
	}
	if gowatest.Operations()[operation] != nil {
		if err := gowatest.Check(operation, header.Get("Content-Type"), body); err != nil {
			n.t.Errorf("%v: %s", err, body)
		}
	}
	var out struct {
		Code    string
		Results any
	}
	if strings.HasPrefix(header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(body, &out); err != nil || out.Code != "SUCCESS" {
			n.t.Errorf("%s: %v in %s", operation, err, body)
		}
	}
	results, _ := out.Results.(map[string]any)
	return results
}

// socket opens the gateway's web socket. What it returns waits for the next frame, which has
// to be that one.
func (n *n8n) socket() func(code, id string) {
	n.t.Helper()
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth("anybody", n.token)
	conn, _, err := websocket.Dial(within(n.t, patience), n.url+"/ws", &websocket.DialOptions{HTTPHeader: r.Header})
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = conn.CloseNow() })
	return func(code, id string) {
		n.t.Helper()
		var got struct {
			Code   string
			Result struct {
				Device string `json:"device_id"`
			}
		}
		if err := wsjson.Read(within(n.t, patience), conn, &got); err != nil || got.Code != code || got.Result.Device != id {
			n.t.Errorf("the socket says %+v, %v, want %s of %s", got, err, code, id)
		}
	}
}

// nodeOperations are all that the node calls, as the specification names them; its last one is in
// gowa's version 8 alone.
const nodeOperations = `GET /app/devices, GET /app/reconnect, GET /app/login, GET /app/login-with-code, GET /app/logout, GET /app/status,
GET /devices, POST /devices, GET /devices/{device_id}, DELETE /devices/{device_id}, GET /devices/{device_id}/login, POST /devices/{device_id}/login/code,
POST /devices/{device_id}/logout, POST /devices/{device_id}/reconnect, GET /devices/{device_id}/status,
POST /send/message, POST /send/link, POST /send/chat-presence, POST /send/presence, POST /send/image, POST /send/audio, POST /send/video,
POST /send/file, POST /send/contact, POST /send/location, POST /send/poll, POST /send/sticker,
POST /message/{message_id}/delete, POST /message/{message_id}/reaction, POST /message/{message_id}/read, POST /message/{message_id}/revoke,
POST /message/{message_id}/star, POST /message/{message_id}/unstar, POST /message/{message_id}/update, GET /message/{message_id}/download,
POST /group, POST /group/participants, POST /group/participants/remove, POST /group/participants/promote, POST /group/participants/demote,
POST /group/leave, POST /group/join-with-link, POST /group/name, POST /group/locked, POST /group/announce, POST /group/topic, POST /group/photo,
POST /group/participant-requests/approve, POST /group/participant-requests/reject, GET /group/info, GET /group/info-from-link,
GET /group/participants, GET /group/invite-link, GET /group/participants/export, GET /group/participant-requests,
GET /user/info, GET /user/avatar, GET /user/my/privacy, GET /user/check, GET /user/business-profile, GET /user/my/groups,
GET /user/my/newsletters, GET /user/my/contacts, POST /user/avatar, POST /user/pushname,
GET /chats, GET /chat/{chat_jid}/messages, POST /chat/{chat_jid}/pin, POST /chat/{chat_jid}/disappearing, POST /chat/{chat_jid}/label,
POST /newsletter/unfollow`

// TestN8N runs every operation of the node of n8n for gowa against the gateway, with two
// numbers behind it: from no device at all to one that is deleted.
func TestN8N(t *testing.T) {
	t.Parallel()
	network := startNetwork(t)
	ada, grace, joan := network.addPhone(own, "Ada"), network.addPhone(friend, "Grace"), network.addPhone(third, "Joan")
	_, api := startPanelWithToken(t, network)
	base := strings.TrimSuffix(api.url, "/api/v1")
	n := &n8n{t: t, url: base + "/gowa", token: api.token, called: map[string]bool{}}

	// The credential test, and the first device.
	if status, _, body := n.ask("GET", "/", nil); status != http.StatusOK {
		t.Fatalf("the credential test: %d %s", status, body)
	}
	n.call("GET /devices", "/devices", nil)
	made := n.call("POST /devices", "/devices", map[string]any{"device_id": "Shop Süd"})
	id, _ := made["id"].(string)
	api.becomes(id, "pairing")
	login := n.call("GET /devices/{device_id}/login", "/devices/"+id+"/login", nil)
	link, err := url.Parse(fmt.Sprint(login["qr_link"]))
	if err != nil || !strings.HasPrefix(link.String(), base+"/gowa/statics/qrcode/") {
		t.Fatalf("the link to the code is %v", login)
	}
	status, header, picture := n.ask("GET", strings.TrimPrefix(link.Path, "/gowa")+"?"+link.RawQuery, nil)
	if status != http.StatusOK || header.Get("Content-Type") != "image/png" {
		t.Fatalf("the code: %d %s", status, picture)
	}
	socket := n.socket()
	if _, err := network.control.ScanPicture(within(t, patience), own, picture); err != nil {
		t.Fatal(err)
	}
	socket("LOGIN_SUCCESS", id)
	api.becomes(id, "connected")
	n.call("GET /app/status", "/app/status", nil) // of the only one

	// From here on there are two, and the name that the client gave is what it goes by.
	other := n.call("POST /devices", "/devices", map[string]any{})
	second := fmt.Sprint(other["id"])
	if status, _, body := n.ask("GET", "/app/status", nil); status != http.StatusBadRequest || !strings.Contains(string(body), "DEVICE_ID_REQUIRED") {
		t.Errorf("without a device: %d %s", status, body)
	}
	n.name = "Shop Süd"
	if results := n.call("GET /app/status", "/app/status", nil); results["device_id"] != id || results["is_logged_in"] != true {
		t.Errorf("the status is %v", results)
	}
	n.call("GET /app/devices", "/app/devices", nil)
	n.call("GET /devices/{device_id}", "/devices/"+id, nil)
	n.call("GET /devices/{device_id}/status", "/devices/"+own+"@s.whatsapp.net/status", nil)

	n.call("PATCH /devices/{device_id}/webhook", "/devices/"+id+"/webhook", map[string]any{"webhook_url": "https://hook.example.org", "webhook_events": "message"})
	if hook := n.call("GET /devices/{device_id}/webhook", "/devices/"+id+"/webhook", nil); hook["webhook_url"] != "https://hook.example.org" || hook["webhook_events"] != "message" {
		t.Errorf("the webhook is %v", hook)
	}
	n.call("PATCH /devices/{device_id}/webhook", "/devices/"+id+"/webhook", map[string]any{"webhook_url": ""})

	// Sending.
	chat, to := friend+"@s.whatsapp.net", friend
	send := func(operation string, in any) string {
		t.Helper()
		return fmt.Sprint(n.call("POST "+operation, operation, in)["message_id"])
	}
	first := send("/send/message", map[string]any{"phone": chat, "message": "hello", "is_forwarded": false, "duration": "0", "reply_message_id": ""})
	grace.receives(own, "hello")
	send("/send/link", map[string]any{"phone": to, "link": "http://127.0.0.1:9/", "caption": "look"})
	send("/send/chat-presence", map[string]any{"phone": to, "action": "start"})
	send("/send/presence", map[string]any{"type": "available"})
	blue := color.RGBA{B: 200, A: 255}
	send("/send/image", form{"phone": to, "caption": "a picture", "view_once": "false", "compress": "true", "is_forwarded": "false", "duration": "0", "image": aPNG(t, blue)})
	send("/send/audio", form{"phone": to, "ptt": "false", "audio": []byte("RIFF\x24\x00\x00\x00WAVEfmt " + strings.Repeat("\x00", 32))})
	send("/send/video", form{"phone": to, "caption": "a film", "view_once": "false", "compress": "false", "gif_playback": "false",
		"video": []byte("\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + strings.Repeat("\x00", 64))})
	send("/send/file", form{"phone": to, "caption": "a file", "file": []byte("some text")})
	send("/send/sticker", form{"phone": to, "sticker": aPNG(t, blue)})
	send("/send/contact", map[string]any{"phone": to, "contact_name": "Joan", "contact_phone": third})
	send("/send/location", map[string]any{"phone": to, "latitude": "48.1", "longitude": "11.5"})
	send("/send/poll", map[string]any{"phone": to, "question": "Tea?", "options": []string{"yes", "no"}, "max_answer": 1})

	// About messages.
	message := func(what, id string, in map[string]any) {
		t.Helper()
		in["phone"] = chat
		n.call("POST /message/{message_id}/"+what, "/message/"+id+"/"+what, in)
	}
	message("reaction", first, map[string]any{"emoji": "👍"})
	message("update", first, map[string]any{"message": "hello again"})
	message("star", first, map[string]any{})
	message("unstar", first, map[string]any{})
	question, err := network.control.Send(within(t, patience), friend, own, "a question")
	network.must(err)
	poll(t, "the question can be read", func() bool {
		status, _, _ := n.ask("POST", "/message/"+question.ID+"/read", map[string]any{"phone": chat})
		return status == http.StatusOK
	}, nil)
	message("read", question.ID, map[string]any{})
	message("delete", question.ID, map[string]any{})
	sight, err := network.control.SendFile(within(t, patience), friend, own, web.File{Kind: phone.Image, MIME: "image/jpeg", Data: aJPEG(t, blue)})
	network.must(err)
	download := "/message/" + sight.ID + "/download?phone=" + url.QueryEscape(chat)
	poll(t, "the picture can be had", func() bool { status, _, _ := n.ask("GET", download, nil); return status == http.StatusOK }, func() string {
		_, _, body := n.ask("GET", download, nil)
		return string(body)
	})
	file, err := url.Parse(fmt.Sprint(n.call("GET /message/{message_id}/download", download, nil)["file_url"]))
	if err != nil || !strings.HasPrefix(file.String(), base+"/gowa/statics/") {
		t.Errorf("the file is at %v, %v", file, err)
	} else if status, header, _ := n.ask("GET", strings.TrimPrefix(file.EscapedPath(), "/gowa")+"?"+file.RawQuery, nil); status != http.StatusOK || header.Get("Content-Type") != "image/jpeg" {
		t.Errorf("the file: %d %s", status, header)
	}
	message("revoke", first, map[string]any{})

	// Chats and people.
	n.call("GET /chats", "/chats?limit=25&offset=0&search=&has_media=false", nil)
	n.call("GET /chat/{chat_jid}/messages", "/chat/"+chat+"/messages?limit=5&start_time=&search=", nil)
	n.call("POST /chat/{chat_jid}/pin", "/chat/"+chat+"/pin", map[string]any{"pinned": true})
	n.call("POST /chat/{chat_jid}/disappearing", "/chat/"+chat+"/disappearing", map[string]any{"timer_seconds": 86400})
	n.call("POST /chat/{chat_jid}/label", "/chat/"+chat+"/label", map[string]any{"label_id": "1", "label_name": "New", "labeled": true})
	network.must(network.control.ChangeProfile(within(t, patience), friend, map[string]any{"business": map[string]any{"name": "Hopper Ltd"}}))
	for _, path := range []string{"/user/info?phone=" + to, "/user/check?phone=" + to, "/user/business-profile?phone=" + to} {
		operation, _, _ := strings.Cut(path, "?")
		n.call("GET "+operation, path, nil)
	}
	for _, path := range []string{"/user/my/privacy", "/user/my/groups", "/user/my/newsletters", "/user/my/contacts"} {
		n.call("GET "+path, path, nil)
	}
	n.call("POST /user/avatar", "/user/avatar", form{"avatar": aPNG(t, blue)})
	n.call("GET /user/avatar", "/user/avatar?phone="+own+"&is_preview=true&is_community=false", nil)
	n.call("POST /user/pushname", "/user/pushname", map[string]any{"push_name": "Shop"})
	channel, err := network.control.CreateChannel(within(t, patience), friend, "News", "")
	network.must(err)
	network.must(network.control.FollowChannel(within(t, patience), own, channel.ID, true))
	n.call("POST /newsletter/unfollow", "/newsletter/unfollow", map[string]any{"newsletter_id": channel.ID})

	// Groups.
	group := fmt.Sprint(n.call("POST /group", "/group", map[string]any{"title": "Choir", "participants": []string{friend}})["group_id"])
	set := func(path string, in map[string]any) {
		t.Helper()
		in["group_id"] = group
		n.call("POST "+path, path, in)
	}
	set("/group/participants", map[string]any{"participants": []string{third}})
	set("/group/participants/promote", map[string]any{"participants": []string{third}})
	set("/group/participants/demote", map[string]any{"participants": []string{third}})
	set("/group/participants/remove", map[string]any{"participants": []string{third}})
	set("/group/name", map[string]any{"name": "Old choir"})
	set("/group/topic", map[string]any{"topic": "Singing"})
	set("/group/locked", map[string]any{"locked": true})
	set("/group/announce", map[string]any{"announce": false})
	n.call("POST /group/photo", "/group/photo", form{"group_id": group, "photo": aPNG(t, blue)})
	for _, path := range []string{"/group/info", "/group/participants", "/group/participants/export"} {
		n.call("GET "+path, path+"?group_id="+group, nil)
	}
	invite := fmt.Sprint(n.call("GET /group/invite-link", "/group/invite-link?group_id="+group+"&reset=false", nil)["invite_link"])
	n.call("GET /group/info-from-link", "/group/info-from-link?link="+url.QueryEscape(invite), nil)
	network.must(network.control.ChangeGroup(within(t, patience), own, group, map[string]any{"approval": true}))
	for _, answer := range []string{"reject", "approve"} {
		network.must(network.control.JoinGroup(within(t, patience), third, invite))
		n.call("GET /group/participant-requests", "/group/participant-requests?group_id="+group, nil)
		set("/group/participant-requests/"+answer, map[string]any{"participants": []string{third}})
	}
	if g := joan.group(group); g.Name != "Old choir" || g.Topic != "Singing" || !g.Locked {
		t.Errorf("who was let in sees %+v", g)
	}
	theirs, err := network.control.CreateGroup(within(t, patience), friend, "Theirs")
	network.must(err)
	invitation, err := network.control.GroupLink(within(t, patience), friend, theirs.ID)
	network.must(err)
	n.call("POST /group/join-with-link", "/group/join-with-link", map[string]any{"link": invitation})
	n.call("POST /group/leave", "/group/leave", map[string]any{"group_id": theirs.ID})

	// The account, and the end.
	n.call("GET /app/reconnect", "/app/reconnect", nil)
	api.becomes(id, "connected")
	n.call("POST /devices/{device_id}/reconnect", "/devices/"+id+"/reconnect", nil)
	api.becomes(id, "connected")
	poll(t, "the connection is there again", func() bool { // while it is made anew nobody can log out
		status, _, _ := n.ask("GET", "/app/logout", nil)
		return status == http.StatusOK
	}, nil)
	n.called["GET /app/logout"] = true
	socket("DEVICE_LOGGED_OUT", id)
	api.becomes(id, "logged_out")
	n.call("GET /app/login", "/app/login", nil)
	n.call("GET /app/login-with-code", "/app/login-with-code?phone="+own, nil)
	code := n.call("POST /devices/{device_id}/login/code", "/devices/"+id+"/login/code?phone="+own, nil)
	ada.enter(fmt.Sprint(code["pair_code"]))
	api.becomes(id, "connected")
	n.call("POST /devices/{device_id}/logout", "/devices/"+id+"/logout", nil)
	n.call("DELETE /devices/{device_id}", "/devices/"+second, nil)
	if status, _, body := n.ask("GET", "/devices/"+second, nil); status != http.StatusNotFound {
		t.Errorf("what was deleted: %d %s", status, body)
	}
	// A number that is stopped says so.
	api.call(http.MethodPost, "/instances/"+id+"/stop", nil, http.StatusOK, nil)
	api.becomes(id, "stopped")
	if status, _, body := n.ask("POST", "/send/message", map[string]any{"phone": to, "message": "x"}); status != http.StatusUnauthorized || !strings.Contains(string(body), `"message":"This number is stopped. Start it first."`) {
		t.Errorf("a stopped number: %d %s", status, body)
	}

	for operation := range strings.SplitSeq(strings.ReplaceAll(nodeOperations, "\n", " "), ",") {
		if operation = strings.TrimSpace(operation); !n.called[operation] {
			t.Errorf("%s was not called", operation)
		}
	}
}

// A key of a number opens its own port, also while there is no panel; what was sent under an
// Idempotency-Key when the worker was killed is not sent a second time.
func TestKeyOfANumber(t *testing.T) {
	t.Parallel()
	network := startNetwork(t)
	ada, grace := network.addPhone(own, "Ada"), network.addPhone(friend, "Grace")
	panel, api := startPanelWithToken(t, network)
	number := api.pair(api.create("Business 01").ID, ada)
	var key struct{ Key string }
	api.call(http.MethodPost, "/instances/"+number.ID+"/keys", map[string]any{"name": "shop", "scopes": []string{"send"}}, http.StatusCreated, &key)

	send := func(idempotency, text string) (int, http.Header, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, fmt.Sprintf("http://127.0.0.1:%d/send/message", number.Port),
			strings.NewReader(`{"phone":"`+friend+`","message":"`+text+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth(number.ID, key.Key)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", idempotency)
		resp, err := (&http.Client{Timeout: patience}).Do(req)
		if err != nil {
			return 0, nil, err.Error()
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, resp.Header, string(body)
	}
	poll(t, "the key opens", func() bool { status, _, _ := send("first", "first"); return status == http.StatusOK }, nil)

	again := func(text string) {
		t.Helper()
		poll(t, "it works again", func() bool { status, _, _ := send(text, text); return status == http.StatusOK }, func() string {
			return fmt.Sprintf("%+v", api.get(number.ID))
		})
	}
	// Killed when the message is stored and has not gone out.
	_, err := network.control.Silence(within(t, patience), web.Target{Number: own}, true)
	network.must(err)
	answered := make(chan int)
	go func() { status, _, _ := send("lost", "lost"); answered <- status }()
	poll(t, "the message is stored", func() bool {
		return slices.ContainsFunc(panel.stored(number), func(m messages.Message) bool { return m.Text == "lost" })
	}, nil)
	network.must(syscall.Kill(api.get(number.ID).PID, syscall.SIGKILL))
	if status := <-answered; status == http.StatusOK {
		t.Error("a killed worker has answered")
	}
	again("lost")
	// Killed as soon as the message has arrived, whether or not WhatsApp's answer has.
	for n := range 3 {
		text := fmt.Sprintf("arrived %d", n)
		api.becomes(number.ID, "connected")
		go func() { status, _, _ := send(text, text); answered <- status }()
		grace.receives(own, text)
		network.must(syscall.Kill(api.get(number.ID).PID, syscall.SIGKILL))
		<-answered
		again(text)
	}

	api.becomes(number.ID, "connected")
	network.must(panel.cmd.Process.Kill()) // its numbers go on
	panel.wait()
	status, header, body := send("lost", "lost")
	if status != http.StatusOK || header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("without a panel: %d %s", status, body)
	}
	if status, _, body := send("lost", "something else"); status != http.StatusUnprocessableEntity {
		t.Errorf("another text under the same key: %d %s", status, body)
	}
	if status, _, body := send("last", "last"); status != http.StatusOK {
		t.Errorf("without a panel: %d %s", status, body)
	}
	grace.receives(own, "last")
	for text, times := range grace.texts(own) {
		if times != 1 {
			t.Errorf("%q arrived %d times", text, times)
		}
	}
}

// A message that is to be sent later waits, says so, and is sent when it is time, also when
// the worker was killed meanwhile. With a pace everything has its turn.
func TestQueueOfANumber(t *testing.T) {
	t.Parallel()
	network := startNetwork(t)
	ada, grace := network.addPhone(own, "Ada"), network.addPhone(friend, "Grace")
	_, api := startPanelWithToken(t, network)
	number := api.pair(api.create("Business 01").ID, ada)
	path := "/instances/" + number.ID
	type sent struct {
		MessageID string `json:"message_id"`
		QueueID   string `json:"queue_id"`
		Status    string `json:"status"`
	}
	state := func(id string) (got sent) {
		t.Helper()
		api.call(http.MethodGet, path+"/messages/"+id, nil, http.StatusOK, &got)
		return got
	}
	var later, never, now sent
	api.call(http.MethodPost, path+"/messages", map[string]any{"to": friend, "text": "later", "send_at": time.Now().Add(4 * time.Second)}, http.StatusAccepted, &later)
	api.call(http.MethodPost, path+"/messages", map[string]any{"to": friend, "text": "never", "send_at": time.Now().Add(time.Hour)}, http.StatusAccepted, &never)
	if got := state(later.MessageID); got.Status != "queued" || got.QueueID != later.QueueID {
		t.Errorf("what waits is %+v", got)
	}
	network.must(syscall.Kill(api.get(number.ID).PID, syscall.SIGKILL))
	grace.receives(own, "later")
	poll(t, "it counts as delivered", func() bool { return state(later.MessageID).Status == "delivered" }, nil)

	api.becomes(number.ID, "connected")
	api.call(http.MethodPatch, path+"/settings", map[string]any{"per_minute": 60}, http.StatusOK, nil)
	began := time.Now()
	for n := range 3 {
		api.call(http.MethodPost, path+"/messages", map[string]any{"to": friend, "text": fmt.Sprint("turn ", n)}, http.StatusOK, &now)
	}
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("three messages at one a second took %v", took)
	}
	grace.receives(own, "turn 2")

	var queue struct{ Data []struct{ ID string } }
	api.call(http.MethodGet, path+"/queue", nil, http.StatusOK, &queue)
	if len(queue.Data) != 1 || queue.Data[0].ID != never.QueueID {
		t.Errorf("the queue is %+v", queue)
	}
	api.call(http.MethodDelete, path+"/queue/"+never.QueueID, nil, http.StatusNoContent, nil)
	if got := state(never.MessageID); got.Status != "failed" {
		t.Errorf("what was taken back is %+v", got)
	}
	for text, times := range grace.texts(own) {
		if times != 1 || text == "never" {
			t.Errorf("%q arrived %d times", text, times)
		}
	}
}
