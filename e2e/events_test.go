package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// TestAStreamIsResumed follows two of three numbers with a token that sees no more, over a
// connection that is cut, workers and panels that are killed: after each interruption the
// stream goes on behind the last event that came. Nothing is missing, each chat is in order
// but for repeats, which have the same id, and nothing of the third number comes.
func TestAStreamIsResumed(t *testing.T) { onBothEngines(t, aStreamIsResumed) }

func aStreamIsResumed(t *testing.T, database ...string) {
	port := 26700
	if len(database) > 0 {
		port = 26750
	}
	f := startFleet(t, 3, port, database...)
	var token struct{ Secret string }
	seen := []string{f.numbers[0].ID, f.numbers[1].ID}
	f.api.call(http.MethodPost, "/tokens", map[string]any{"name": "reader", "numbers": seen, "scopes": []string{"read"}}, http.StatusCreated, &token)
	talkers := []*handset{f.network.addPhone("4917030000001", "Talker 1"), f.network.addPhone("4917030000002", "Talker 2")}
	s := &sse{t: t, token: token.Secret, first: map[string]string{}, next: map[string]int{}, numbers: map[string]bool{}}
	said := 0
	say := func(count int) {
		t.Helper()
		for range count {
			for i, talker := range talkers {
				for n, phone := range f.phones {
					_, err := f.network.control.Send(within(t, patience), talker.number, phone.number, text(n, i, said))
					f.network.must(err)
				}
			}
			said++
		}
	}
	all := func(what string) {
		t.Helper()
		poll(t, what, func() bool { return s.count() == said*len(talkers)*len(seen) }, func() string {
			return fmt.Sprintf("%d of %d texts came, the last event is %s", s.count(), said*len(talkers)*len(seen), s.lastID())
		})
	}

	s.open(f.url)
	say(3)
	all("what comes is streamed")
	s.cut()
	say(5)
	s.open(f.url)
	all("what came while the line was cut follows")

	for i := range seen { // one number after the other has trouble
		if err := syscall.Kill(f.now()[f.numbers[i].ID].PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		say(3)
		if i == 1 { // cut while one number is behind
			s.cut()
			s.open(f.url)
		}
	}
	all("what came while workers were killed follows")

	if err := f.panel.process.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	f.panel.process.wait()
	s.cut()
	say(5)
	f.restart(t)
	s.open(f.url)
	say(2)
	all("what came while there was no panel follows")
	if code := f.panel.process.stop(); code != 0 {
		t.Errorf("the panel ended with %d", code)
	}
	s.cut()
	say(2)
	f.restart(t)
	s.open(f.url)
	all("what came while everything was stopped follows")
	f.connected()
	say(1)
	all("the rest")
	s.cut()

	s.mu.Lock()
	defer s.mu.Unlock()
	for number := range s.numbers {
		if !slices.Contains(seen, number) {
			t.Errorf("an event of %s came", number)
		}
	}
	t.Logf("%d texts to each of %d numbers, %d events, %d of them repeats, over %d lines", said*len(talkers), len(seen), s.events, s.repeats, s.lines)
}

// sse is a client of server-sent events.
type sse struct {
	t     *testing.T
	token string
	end   func() // of the line that is open

	mu                     sync.Mutex
	last                   string
	first                  map[string]string // id of the event with a text
	next                   map[string]int    // by chat, the text that has to come next
	numbers                map[string]bool   // that there were events of
	events, repeats, lines int
}

func (s *sse) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.first)
}

func (s *sse) lastID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// open begins to read behind the last event that came.
func (s *sse) open(url string) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/api/v1/events", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	if last := s.lastID(); last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		s.t.Fatalf("the stream answers %d", res.StatusCode)
	}
	ended := make(chan struct{})
	s.lines++
	go func() {
		defer close(ended)
		defer res.Body.Close()
		lines := bufio.NewScanner(res.Body)
		lines.Buffer(nil, 1<<20)
		var id string
		for lines.Scan() {
			if rest, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
				id = rest
			} else if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				s.take(id, data)
			}
		}
	}()
	s.end = func() { cancel(); <-ended }
	s.t.Cleanup(s.end)
}

func (s *sse) cut() { s.end() }

func (s *sse) take(id, data string) {
	var e struct {
		Event   string
		Session string `json:"session_id"`
		Payload struct{ Body string }
	}
	if err := json.Unmarshal([]byte(data), &e); err != nil {
		s.t.Errorf("%v: %s", err, data)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events++
	s.last, s.numbers[e.Session] = id, true
	if e.Event != "message" {
		return
	}
	event, _, _ := strings.Cut(id, ";")
	if first := s.first[e.Payload.Body]; first != "" {
		s.repeats++
		if first != event {
			s.t.Errorf("%q came as %s and as %s", e.Payload.Body, first, event)
		}
		return
	}
	s.first[e.Payload.Body] = event
	chat, number, _ := strings.Cut(e.Payload.Body, ": ")
	if want := fmt.Sprint(s.next[chat]); number != want {
		s.t.Errorf("%q came when %s was to come", e.Payload.Body, want)
	}
	s.next[chat]++
}
