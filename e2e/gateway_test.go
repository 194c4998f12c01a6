package e2e

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"switchboard/messages"
	"switchboard/whatsapp/simulator/web"
)

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
	panel, api := startPanelWithToken(t, network)
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
	if got := state(never.MessageID); got.Status != "queued" || got.QueueID != never.QueueID {
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

	// The message on the number's page waits for its turn, too.
	api.call(http.MethodPatch, path+"/settings", map[string]any{"per_minute": 1}, http.StatusOK, nil)
	r := newReader(t)
	r.open(panel.url)
	r.submit("login-form", map[string]string{"email": ownerEmail, "password": ownerPassword})
	r.open(panel.url + path)
	r.submit("send-form", map[string]string{"to": friend, "text": "from the page"})
	if said := r.text(r.root); !strings.Contains(said, "It waits for its turn") {
		t.Errorf("%d %s", r.status, said)
	}
	api.call(http.MethodGet, path+"/queue", nil, http.StatusOK, &queue)
	if len(queue.Data) == 0 {
		t.Error("the message of the page does not wait")
	}
	for text, times := range grace.texts(own) {
		if times != 1 || text == "never" || text == "from the page" {
			t.Errorf("%q arrived %d times", text, times)
		}
	}
}
