package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"switchboard/gowa/gowatest"
	"switchboard/whatsapp/simulator/phone"
)

// BenchmarkSends is gowa's benchmark of that name with each of the parts in a process of its own,
// as people have them: the simulated network with its phones, a number, which is what the panel
// has started, and the bare client. What asks the number's API is this process.
func BenchmarkSends(b *testing.B) {
	network := startNetwork(b)
	number, api := startNumber(b, network, network.addPhone("491706000001", "Owner"))
	var key struct{ Key string }
	api.call(http.MethodPost, "/instances/"+number.ID+"/keys", map[string]any{"name": "sends"}, http.StatusCreated, &key)
	bare := startBare(b, network, network.addPhone("491706000002", "Bare"))
	ann, ben := network.addPhone("491706000003", "Ann"), network.addPhone("491706000004", "Ben")
	const usual = "hello, this is a text as people write them"
	const turn = 100
	pids := map[string]int{"network": network.cmd.Process.Pid, "number": number.PID, "bare": bare.pid}
	for _, flying := range []int{1, 8, 32} {
		b.Run(fmt.Sprintf("%d in flight", flying), func(b *testing.B) {
			login := base64.StdEncoding.EncodeToString([]byte(number.ID + ":" + key.Key))
			caller := gowatest.NewCaller(fmt.Sprintf("127.0.0.1:%d", number.Port), "Authorization: Basic "+login+"\r\n", flying)
			b.Cleanup(caller.Close)
			send := func(text string) {
				if _, err := caller.Post(b.Context(), "/send/message", fmt.Sprintf(`{"phone":%q,"message":%q}`, ann.number, text)); err != nil {
					b.Error(err)
				}
			}
			spent := map[string]time.Duration{}
			turns := 0
			lapOf := func(do func(last string) gowatest.Lap, to *handset, parts ...string) gowatest.Lap {
				turns++
				last := fmt.Sprint("the end of turn ", flying, " ", turns)
				for _, p := range parts {
					spent[p] -= busy(b, pids[p])
				}
				l := do(last)
				page, err := network.control.WaitFor(within(b, patience), to.number, to.seen, patience, func(e phone.Entry) bool { return e.Text == last })
				network.must(err)
				to.seen = page.Seq
				for _, p := range parts {
					spent[p] += busy(b, pids[p])
				}
				return l
			}
			rest := func() gowatest.Lap {
				return lapOf(func(last string) gowatest.Lap {
					l := gowatest.Flight(turn, flying, func() { send(usual) })
					send(last)
					return l
				}, ann, "number")
			}
			direct := func() gowatest.Lap {
				return lapOf(func(last string) gowatest.Lap {
					return bare.order(ben.number, usual, last, turn, flying)
				}, ben, "bare")
			}
			for range 2 { // sessions are made, caches filled
				rest()
				direct()
			}
			clear(spent)
			var viaREST, viaBare gowatest.Lap
			for b.Loop() {
				viaBare.Add(direct())
				viaREST.Add(rest())
			}
			b.ReportMetric(viaREST.Rate(), "rest/s")
			b.ReportMetric(viaBare.Rate(), "bare/s")
			b.ReportMetric(100*viaREST.Rate()/viaBare.Rate(), "%of-bare")
			b.ReportMetric(viaREST.Quantile(50), "rest-p50-ms")
			b.ReportMetric(viaREST.Quantile(99), "rest-p99-ms")
			b.ReportMetric(viaBare.Quantile(50), "bare-p50-ms")
			b.ReportMetric(viaBare.Quantile(99), "bare-p99-ms")
			each := float64(len(viaBare.Each) + b.N) // with the last of each turn
			b.ReportMetric(spent["number"].Seconds()*1000/each, "number-cpu-ms")
			b.ReportMetric(spent["bare"].Seconds()*1000/each, "bare-cpu-ms")
			b.ReportMetric(0, "ns/op") // of a whole turn, which nobody asks for
		})
	}
}

// bareProcess is the bare client in a process of its own.
type bareProcess struct {
	b       *testing.B
	pid     int
	phone   *handset // that it is linked to
	orders  *json.Encoder
	answers *json.Decoder
}

// startBare builds the bare client, starts it and links it to a phone.
func startBare(b *testing.B, network *network, phone *handset) *bareProcess {
	b.Helper()
	dir := b.TempDir()
	program := filepath.Join(dir, "bare")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", program, "switchboard/e2e/bare").CombinedOutput(); err != nil {
		b.Fatalf("build the bare client: %v\n%s", err, out)
	}
	cmd := exec.Command(program, filepath.Join(dir, "keys.db"), network.addr, network.rootKey)
	cmd.Stderr = os.Stderr
	orders, err := cmd.StdinPipe()
	network.must(err)
	answers, err := cmd.StdoutPipe()
	network.must(err)
	network.must(cmd.Start())
	b.Cleanup(func() {
		orders.Close() // which ends it
		if err := cmd.Wait(); err != nil {
			b.Error(err)
		}
	})
	p := &bareProcess{b, cmd.Process.Pid, phone, json.NewEncoder(orders), json.NewDecoder(answers)}
	var code, connected string
	p.hears(&code)
	phone.scan(code)
	p.hears(&connected)
	return p
}

// hears waits for what the process has to say next.
func (p *bareProcess) hears(what any) {
	p.b.Helper()
	if err := p.answers.Decode(what); err != nil {
		p.b.Fatal("the bare client ended:", err)
	}
}

// order has it send texts.
func (p *bareProcess) order(to, text, last string, count, flying int) (l gowatest.Lap) {
	p.b.Helper()
	if err := p.orders.Encode(map[string]any{"To": to, "Text": text, "Last": last, "Count": count, "Flying": flying}); err != nil {
		p.b.Fatal(err)
	}
	p.hears(&l)
	return l
}
