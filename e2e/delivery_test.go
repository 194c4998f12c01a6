//go:build !race

// The bare client that is measured beside the numbers runs in this process, and has data races
// of its own.

package e2e

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types/events"

	"switchboard/engine"
	_ "switchboard/whatsapp/serial" // sets up the library's logger
)

// BenchmarkDelivery measures from a phone's send to the receiver's 200: one message at a time
// in one chat, then as many as go through, with one number and with twenty. Beside it stands
// the bare library receiving the same, until its handler has the message.
func BenchmarkDelivery(b *testing.B) {
	b.Run("bare", func(b *testing.B) {
		network := startNetwork(b)
		phone := network.addPhone("491704000001", "Bare")
		m := newMeter()
		bareClient(b, network, phone, m)
		m.measure(b, network, []string{phone.number})
	})
	for _, count := range []int{1, 20} {
		b.Run(fmt.Sprintf("numbers=%d", count), func(b *testing.B) {
			f := startFleet(b, count, 27000+100*count, "EGRESS_ALLOW=127.0.0.0/8")
			m := newMeter()
			receiver := httptest.NewServer(m)
			b.Cleanup(receiver.Close)
			f.api.call(http.MethodPost, "/webhooks", map[string]any{"url": receiver.URL, "events": []string{"message"}}, http.StatusCreated, nil)
			var numbers []string
			for _, phone := range f.phones {
				numbers = append(numbers, phone.number)
			}
			m.measure(b, f.network, numbers)
		})
	}
}

const (
	oneByOne = 200  // messages of which each waits for the one before
	atOnce   = 2000 // messages sent as fast as phones send
	senders  = 8
)

// meter knows when each text arrived.
type meter struct {
	mu    sync.Mutex
	at    map[string]time.Time
	wait  map[string]chan struct{}
	total int
	want  int
	all   chan struct{}
}

func newMeter() *meter {
	return &meter{at: map[string]time.Time{}, wait: map[string]chan struct{}{}, all: make(chan struct{}, 1)}
}

func (m *meter) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var in struct{ Payload struct{ Body string } }
	if json.NewDecoder(r.Body).Decode(&in) == nil {
		m.arrived(in.Payload.Body)
	}
}

func (m *meter) arrived(text string) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, again := m.at[text]; again {
		return
	}
	m.at[text] = now
	if w := m.wait[text]; w != nil {
		close(w)
	}
	if m.total++; m.total == m.want {
		m.all <- struct{}{}
	}
}

// measure sends to the numbers in turn and reports.
func (m *meter) measure(b *testing.B, network *network, numbers []string) {
	for b.Loop() { // what counts is measured once, below
	}
	b.ReportMetric(0, "ns/op")
	var talkers []*handset
	for i := range senders {
		talkers = append(talkers, network.addPhone(fmt.Sprintf("49170500%04d", i), fmt.Sprintf("Talker %d", i)))
	}
	send := func(i int, text string) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if _, err := network.control.Send(ctx, talkers[i%senders].number, numbers[i%len(numbers)], text); err != nil {
			b.Errorf("send: %v", err)
		}
	}
	// The first message between two makes their keys; that is not what is measured.
	m.expect(senders * len(numbers))
	for i := range talkers {
		for n := range numbers {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			_, err := network.control.Send(ctx, talkers[i].number, numbers[n], fmt.Sprint("first ", i, n))
			cancel()
			network.must(err)
		}
	}
	m.done(b)

	var took []time.Duration
	for i := range oneByOne {
		text := fmt.Sprint("one ", i)
		arrived := make(chan struct{})
		m.mu.Lock()
		m.wait[text] = arrived
		m.mu.Unlock()
		began := time.Now()
		send(i*senders, text) // always the same talker
		select {
		case <-arrived:
		case <-time.After(patience):
			b.Fatalf("%q never arrived", text)
		}
		m.mu.Lock()
		took = append(took, m.at[text].Sub(began))
		m.mu.Unlock()
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-p50")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")

	m.expect(atOnce)
	began := time.Now()
	var sending sync.WaitGroup
	for i := range senders {
		sending.Go(func() {
			for k := i; k < atOnce; k += senders {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				_, err := network.control.Send(ctx, talkers[i].number, numbers[k/senders%len(numbers)], fmt.Sprint("many ", k))
				cancel()
				if err != nil {
					b.Errorf("send: %v", err)
				}
			}
		})
	}
	sending.Wait()
	sent := time.Since(began)
	m.done(b)
	b.ReportMetric(atOnce/time.Since(began).Seconds(), "events/s")
	b.ReportMetric(atOnce/sent.Seconds(), "sent/s")
}

// expect counts what comes from now on.
func (m *meter) expect(count int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.total, m.want = 0, count
}

func (m *meter) done(b *testing.B) {
	b.Helper()
	select {
	case <-m.all:
	case <-time.After(3 * patience):
		m.mu.Lock()
		defer m.mu.Unlock()
		b.Fatalf("%d of %d arrived", m.total, m.want)
	}
}

// bareClient links the unmodified library to a phone, with a store of its own and the
// acknowledgements that a worker uses too.
func bareClient(b *testing.B, network *network, phone *handset, m *meter) {
	b.Helper()
	key, err := hex.DecodeString(network.rootKey)
	network.must(err)
	whatsmeow.WACertPubKey = [32]byte(key)
	file := engine.At(filepath.Join(b.TempDir(), "keys.db"))
	network.must(file.Create())
	ctx := context.Background()
	db, err := file.Open(ctx)
	network.must(err)
	b.Cleanup(func() { _ = db.Close() })
	container := sqlstore.NewWithDB(db, "sqlite3", nil)
	network.must(container.Upgrade(ctx))
	client := whatsmeow.NewClient(container.NewDevice(), nil)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", network.addr)
	}
	transport := &http.Transport{DialContext: dial, DialTLSContext: dial}
	client.SetPreLoginHTTPClient(&http.Client{Transport: transport})
	client.SetWebsocketHTTPClient(&http.Client{Transport: transport})
	client.SetMediaHTTPClient(&http.Client{Transport: transport})
	client.SynchronousAck, client.EnableDecryptedEventBuffer = true, true
	connected := make(chan struct{}, 4)
	codes := make(chan string, 16)
	client.AddEventHandler(func(event any) {
		switch e := event.(type) {
		case *events.QR:
			codes <- e.Codes[0]
		case *events.Connected:
			connected <- struct{}{}
		case *events.Message:
			m.arrived(e.Message.GetConversation() + e.Message.GetExtendedTextMessage().GetText())
		}
	})
	network.must(client.Connect())
	b.Cleanup(client.Disconnect)
	phone.scan(<-codes)
	select {
	case <-connected:
	case <-time.After(patience):
		b.Fatal("the bare client does not connect")
	}
}
