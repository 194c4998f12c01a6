//go:build !race

package gowa_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	waLog "go.mau.fi/whatsmeow/util/log"

	"switchboard/engine"
	"switchboard/gowa/gowatest"
	"switchboard/whatsapp/simulator/phone"
)

// BenchmarkSends compares texts that go through the REST API with texts that the bare
// whatsmeow client sends, on the same simulated network, the same engine and the same
// machine, turn by turn, so that whatever else the machine does hits both. A number reaches
// the network over TCP, as everything outside of the network's process has to. The bare client
// is there twice: once over TCP as well ("tcp"), and once with a pipe within the process
// ("bare"), which nothing but simulated phones has.
func BenchmarkSends(b *testing.B) {
	for _, flying := range []int{1, 8, 32} {
		b.Run(fmt.Sprintf("%d in flight", flying), func(b *testing.B) {
			n := newLinked(b)
			bare, distant := bareClient(b, network.PhoneTransport()), bareClient(b, overTCP())
			ann, ben, cid := newPhone(b, "Ann"), newPhone(b, "Ben"), newPhone(b, "Cid")
			caller := gowatest.NewCaller(strings.TrimPrefix(n.url, "http://"), "", flying)
			b.Cleanup(caller.Close)
			const usual = "hello, this is a text as people write them"
			rest := func(text string) {
				if _, err := caller.Post(b.Context(), "/send/message", fmt.Sprintf(`{"phone":%q,"message":%q}`, ann.Number(), text)); err != nil {
					b.Error(err)
				}
			}
			with := func(c *whatsmeow.Client, to *phone.Phone) func(string) {
				jid := types.NewJID(to.Number(), types.DefaultUserServer)
				return func(text string) {
					m := &waE2E.Message{Conversation: &text}
					if _, err := c.SendMessage(context.Background(), jid, m); err != nil {
						b.Error(err)
					}
				}
			}
			direct, viaTCP := with(bare, ben), with(distant, cid)
			const turn = 100
			turns := 0
			// What one has sent is delivered before the other's turn, which it would slow down.
			lapOf := func(send func(string), to *phone.Phone) gowatest.Lap {
				seq, before := to.Seq(), processor()
				l := gowatest.Flight(turn, flying, func() { send(usual) })
				turns++
				last := fmt.Sprint("the end of turn ", turns)
				send(last)
				if _, err := to.WaitFor(within(b), seq, func(e phone.Entry) bool { return e.Text == last }); err != nil {
					b.Fatal(err)
				}
				l.Processor = processor() - before
				return l
			}
			for range 2 { // sessions are made, caches filled
				lapOf(rest, ann)
				lapOf(direct, ben)
				lapOf(viaTCP, cid)
			}
			var viaREST, viaClient, viaDistant gowatest.Lap
			for b.Loop() {
				viaClient.Add(lapOf(direct, ben))
				viaREST.Add(lapOf(rest, ann))
				viaDistant.Add(lapOf(viaTCP, cid))
			}
			b.ReportMetric(viaREST.Rate(), "rest/s")
			b.ReportMetric(viaClient.Rate(), "bare/s")
			b.ReportMetric(100*viaREST.Rate()/viaClient.Rate(), "%of-bare")
			b.ReportMetric(viaDistant.Rate(), "tcp/s")
			b.ReportMetric(100*viaREST.Rate()/viaDistant.Rate(), "%of-tcp")
			b.ReportMetric(viaDistant.Quantile(50), "tcp-p50-ms")
			b.ReportMetric(viaDistant.Quantile(99), "tcp-p99-ms")
			b.ReportMetric(viaDistant.Cost(), "tcp-cpu-ms")
			b.ReportMetric(viaREST.Quantile(50), "rest-p50-ms")
			b.ReportMetric(viaREST.Quantile(99), "rest-p99-ms")
			b.ReportMetric(viaClient.Quantile(50), "bare-p50-ms")
			b.ReportMetric(viaClient.Quantile(99), "bare-p99-ms")
			b.ReportMetric(viaREST.Cost(), "rest-cpu-ms")
			b.ReportMetric(viaClient.Cost(), "bare-cpu-ms")
			b.ReportMetric(0, "ns/op") // of a whole turn, which nobody asks for
		})
	}
}

// processor is the time that this process has spent on a processor.
func processor() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// overTCP reaches the simulated network as a number does.
func overTCP() http.RoundTripper {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", network.Addr())
	}
	return &http.Transport{DialContext: dial, DialTLSContext: dial}
}

// bareClient is whatsmeow as it comes, linked to a phone of its own.
func bareClient(b *testing.B, transport http.RoundTripper) *whatsmeow.Client {
	b.Helper()
	file := engine.At(filepath.Join(b.TempDir(), "bare"))
	if err := file.Create(); err != nil {
		b.Fatal(err)
	}
	db, err := file.Open(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	store := sqlstore.NewWithDB(db, "sqlite3", waLog.Noop)
	if err := store.Upgrade(b.Context()); err != nil {
		b.Fatal(err)
	}
	device, err := store.GetFirstDevice(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	c := whatsmeow.NewClient(device, waLog.Noop)
	way := &http.Client{Transport: transport}
	c.SetPreLoginHTTPClient(way)
	c.SetWebsocketHTTPClient(way)
	c.SetMediaHTTPClient(way)
	codes, connected := make(chan string, 1), make(chan struct{}, 10)
	c.AddEventHandler(func(e any) {
		switch e := e.(type) {
		case *events.QR:
			codes <- e.Codes[0]
		case *events.Connected:
			connected <- struct{}{}
		}
	})
	if err := c.Connect(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Disconnect)
	if _, err := newPhone(b, "Bare").Scan(within(b), <-codes); err != nil {
		b.Fatal(err)
	}
	<-connected
	return c
}
