package e2e

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// hooked is how many messages TestWebhooksLoseNothing sends; `make webhooks` sends 10,000.
var hooked = flag.Int("webhooks", 600, "count of messages in TestWebhooksLoseNothing")

// TestWebhooksLoseNothing has phones send to numbers while the receiver of their webhook
// fails half of the time at random and is down for a while, and workers are killed. Every
// message arrives at the receiver, each chat in order, repeats under the same id, and every
// number has stored each once. It prints its counts.
func TestWebhooksLoseNothing(t *testing.T) { onBothEngines(t, webhooksLoseNothing) }

func webhooksLoseNothing(t *testing.T, database ...string) {
	if testing.Short() {
		t.Skip("it takes its time")
	}
	numbers, talkers, kills := 3, 8, 3
	if *hooked > 5000 {
		numbers, talkers, kills = 10, 10, 10
	}
	each := (*hooked + numbers*talkers - 1) / (numbers * talkers)
	port := 26400
	if len(database) > 0 {
		port = 26450
	}
	f := startFleet(t, numbers, port, append(database, "EGRESS_ALLOW=127.0.0.0/8")...)
	r := newHook(t)
	var made struct{ Secret string }
	f.api.call(http.MethodPost, "/webhooks", map[string]any{"url": r.url, "events": []string{"message"}}, http.StatusCreated, &made)
	r.trust(made.Secret)

	began := time.Now()
	var sending sync.WaitGroup
	for i := range talkers {
		talker := f.network.addPhone(fmt.Sprintf("49170300%04d", i), fmt.Sprintf("Talker %d", i))
		for n := range numbers {
			sending.Go(func() {
				for k := range each {
					ctx, cancel := context.WithTimeout(context.Background(), patience)
					_, err := f.network.control.Send(ctx, talker.number, f.phones[n].number, text(n, i, k))
					cancel()
					if err != nil {
						t.Errorf("send %q: %v", text(n, i, k), err)
						return
					}
				}
			})
		}
	}
	total := numbers * talkers * each
	down := time.Duration(0)
	for k := range kills {
		r.taken(total*(k+1)/(kills+2), time.Minute)
		if pid := f.now()[f.numbers[k%numbers].ID].PID; pid != 0 {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Errorf("kill: %v", err)
			}
		}
		if k == kills/2 {
			down = 5 * time.Second
			r.close()
			<-time.After(down) // what is tested here is that time passes
			r.listen()
		}
	}
	sending.Wait()
	sent := time.Since(began)
	r.taken(total, 3*time.Minute)
	took := time.Since(began)

	r.mu.Lock()
	defer r.mu.Unlock()
	for n, inst := range f.numbers {
		var want []string
		for i := range talkers {
			for k := range each {
				want = append(want, text(n, i, k))
				if r.first[text(n, i, k)] == "" {
					t.Errorf("%q never came", text(n, i, k))
				}
			}
		}
		stored := f.panel.talk(inst)
		once(t, "stored by "+inst.ID, stored.in, want)
		if len(stored.in) != len(want) || stored.undecryptable != 0 {
			t.Errorf("%s stored %d texts, and could not read %d", inst.ID, len(stored.in), stored.undecryptable)
		}
	}
	t.Logf("%d messages from %d phones to %d numbers: %d requests, %d refused on purpose, %d accepted, %d of them repeats; "+
		"%d workers killed, the receiver down for %s; sent in %s, all delivered after %s",
		total, talkers, numbers, r.requests, r.refused, r.requests-r.refused, r.requests-r.refused-len(r.first),
		kills, down, sent.Round(time.Millisecond), took.Round(time.Millisecond))
}

// text of message k from talker i to number n.
func text(n, i, k int) string { return fmt.Sprintf("to %d from %d: %d", n, i, k) }

// mostRefusals is how often one message is refused; the wait after that is ten seconds at most.
const mostRefusals = 9

// hook is a receiver that refuses half of what comes.
type hook struct {
	t    *testing.T
	url  string
	addr string

	mu       sync.Mutex
	server   *http.Server
	secret   string
	requests int
	refused  int
	first    map[string]string // webhook-id by text, of what was accepted
	tries    map[string]int    // by text: how often it was refused
	ids      map[string]string // webhook-id by text, of whatever came
	next     map[string]int    // by chat: the message that has to come next
	more     chan struct{}     // closed at the next that is accepted
}

func newHook(t *testing.T) *hook {
	h := &hook{t: t, addr: "127.0.0.1:0", first: map[string]string{}, tries: map[string]int{}, ids: map[string]string{}, next: map[string]int{}, more: make(chan struct{})}
	h.listen()
	t.Cleanup(h.close)
	return h
}

// listen begins to take requests, at the same address each time.
func (h *hook) listen() {
	l, err := net.Listen("tcp", h.addr)
	if err != nil {
		h.t.Fatal(err)
	}
	h.addr = l.Addr().String()
	h.url = "http://" + h.addr + "/hook"
	h.mu.Lock()
	h.server = &http.Server{Handler: h}
	server := h.server
	h.mu.Unlock()
	go func() { _ = server.Serve(l) }()
}

// close cuts every connection and takes no more.
func (h *hook) close() {
	h.mu.Lock()
	server := h.server
	h.mu.Unlock()
	_ = server.Close()
}

func (h *hook) trust(secret string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.secret = secret
}

// taken waits until so many messages were accepted, as long as more come within a time.
func (h *hook) taken(count int, limit time.Duration) {
	h.t.Helper()
	for {
		h.mu.Lock()
		have, more := len(h.first), h.more
		h.mu.Unlock()
		if have >= count {
			return
		}
		select {
		case <-more:
		case <-time.After(limit):
			h.t.Fatalf("%d messages came, want %d, and nothing comes for %s; what was only refused: %s", have, count, limit, h.waiting())
		}
	}
}

// waiting tells what was refused and not accepted after it, and how often.
func (h *hook) waiting() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []string
	for said, tries := range h.tries {
		if h.first[said] == "" {
			all = append(all, fmt.Sprintf("%q %d times", said, tries))
		}
	}
	return strings.Join(all, ", ")
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests++
	h.verify(r.Header, body)
	var in struct {
		Event   string
		Payload struct{ Body string }
	}
	if err := json.Unmarshal(body, &in); err != nil || in.Event != "message" {
		h.t.Errorf("there came %s", body)
	}
	said, id := in.Payload.Body, r.Header.Get("Webhook-Id")
	if before := h.ids[said]; before != "" && before != id {
		h.t.Errorf("%q came as %s and as %s", said, before, id)
	}
	h.ids[said] = id
	// By chance one or the other would be refused so often in a row that it comes again only
	// after minutes, and all that the test does then is wait.
	if h.tries[said] < mostRefusals && rand.IntN(2) == 0 {
		h.tries[said]++
		h.refused++
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	if h.first[said] != "" {
		return // a repeat
	}
	chat, number, _ := strings.Cut(said, ": ")
	if want := fmt.Sprint(h.next[chat]); number != want {
		h.t.Errorf("%s: there came %s, want %s", chat, number, want)
	}
	h.next[chat]++
	h.first[said] = id
	close(h.more)
	h.more = make(chan struct{})
}

// verify checks both signatures with implementations that are not ours.
func (h *hook) verify(header http.Header, body []byte) {
	verifier, err := standard.NewWebhook(h.secret)
	if err == nil {
		err = verifier.Verify(body, header)
	}
	if err != nil {
		h.t.Errorf("Standard Webhooks: %v", err)
	}
	mac := hmac.New(sha256.New, []byte(h.secret))
	mac.Write(body)
	if want := "sha256=" + hex.EncodeToString(mac.Sum(nil)); header.Get("X-Hub-Signature-256") != want {
		h.t.Errorf("X-Hub-Signature-256 is %q, want %q", header.Get("X-Hub-Signature-256"), want)
	}
}
