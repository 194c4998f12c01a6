package e2e

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"switchboard/freeport"
)

// fleetSize is how many numbers BenchmarkDensity runs: go test ./e2e -bench Density -numbers 200
var fleetSize = flag.Int("numbers", 10, "count of numbers in BenchmarkDensity")

// traffic makes BenchmarkDensity measure once more after so many messages of each number in
// each direction.
var traffic = flag.Int("traffic", 0, "messages to and from each number in BenchmarkDensity, before it measures a second time")

// spread is the time over which that traffic comes, evenly: -traffic 300 -over 1h is an hour
// of an ordinary number. Without it, all comes as fast as it goes.
var spread = flag.Duration("over", 0, "time over which the traffic of BenchmarkDensity comes")

// What BenchmarkDensity takes: time for a fleet to become quiet after its start, and after
// traffic, and time over which it is watched.
const (
	quietAfter = 10 * time.Second
	quietAgain = 2*time.Minute + quietAfter // memory goes back a minute after it was used, databases' after two
	watched    = 30 * time.Second
)

// BenchmarkDensity starts a panel with numbers that are paired, and measures how long it takes
// until all are connected and what they cost then, idle: memory that no other process shares
// and the share of what is shared, each the mean per number, and processor time of all
// numbers and of the panel.
func BenchmarkDensity(b *testing.B) {
	for b.Loop() { // what counts is measured once, below
	}
	b.ReportMetric(0, "ns/op")
	port, err := freeport.Row(*fleetSize)
	if err != nil {
		b.Fatal(err)
	}
	f := startFleet(b, *fleetSize, port)
	logins := f.logins()
	f.stop()
	began := time.Now()
	f.restart(b)
	visitor := f.signedIn()
	b.ReportMetric(time.Since(began).Seconds(), "s-to-signed-in")
	if progress := visitor.find("boot"); progress != nil {
		b.Logf("the first page says: %s", strings.TrimSpace(visitor.text(progress)))
	}
	f.connected()
	b.ReportMetric(time.Since(began).Seconds(), "s-to-all-connected")
	b.ReportMetric(float64(f.logins()-logins)/float64(*fleetSize), "logins/number")
	pids := make([]int, 0, *fleetSize)
	for _, n := range f.now() {
		pids = append(pids, n.PID)
	}
	<-time.After(quietAfter)
	opened := time.Now()
	visitor.open(f.url)
	b.ReportMetric(float64(time.Since(opened).Milliseconds()), "ms-list-page")

	each := float64(len(pids)) * 1024
	all := memoryOf(b, pids)
	b.ReportMetric(float64(all.private)/each, "MiB-private/number")
	b.ReportMetric(float64(all.anonymous)/each, "MiB-anonymous/number")
	b.ReportMetric(float64(all.proportional)/each, "MiB-proportional/number")
	panel := f.process.cmd.Process.Pid
	b.ReportMetric(float64(readMemory(b, panel).private)/1024, "MiB-private-panel")

	before, own := busy(b, pids...), busy(b, panel)
	<-time.After(watched)
	share := func(spent time.Duration) float64 { return 100 * spent.Seconds() / watched.Seconds() }
	b.ReportMetric(share(busy(b, pids...)-before), "%core-numbers")
	b.ReportMetric(share(busy(b, panel)-own), "%core-panel")
	<-time.After(quietAgain - quietAfter - watched)
	b.ReportMetric(float64(memoryOf(b, pids).private)/each, "MiB-private-later/number")
	if *traffic == 0 {
		return
	}
	bare := startBare(b, f.network, f.network.addPhone("491703333333", "Bare"))
	f.chatter(*traffic, bare)
	<-time.After(quietAgain)
	all = memoryOf(b, pids)
	b.ReportMetric(float64(all.private)/each, "MiB-private-after-traffic/number")
	b.ReportMetric(float64(all.anonymous)/each, "MiB-anonymous-after-traffic/number")
	// Nobody else runs the bare client's program, so that all of that would count as private.
	b.ReportMetric(float64(readMemory(b, bare.pid).anonymous)/1024, "MiB-anonymous-after-traffic-bare")
}

// chatter lets a phone write to every number so many times, and every number to that phone,
// spread over the time that was asked for. The bare client, beside which the numbers are
// measured, gets and sends as much.
func (f *fleet) chatter(count int, bare *bareProcess) {
	talker := f.network.addPhone("491702222222", "Talker")
	var talking sync.WaitGroup
	pause := *spread / time.Duration(count)
	for i, inst := range f.numbers {
		talking.Go(func() {
			for n := range count {
				<-time.After(pause)
				talker.send(f.phones[i].number, fmt.Sprintf("question %d", n))
				f.api.send(inst.ID, talker.number, fmt.Sprintf("answer %d", n))
			}
		})
	}
	talking.Go(func() {
		for range count {
			<-time.After(pause)
			talker.send(bare.phone.number, "question")
			bare.order(talker.number, "", "answer", 0, 1)
		}
	})
	talking.Wait()
	for _, inst := range f.numbers {
		poll(f.t, "all that was sent to "+inst.ID+" is stored", func() bool { return len(f.panel.talk(inst).in) >= count }, nil)
	}
}

// memoryOf is the memory of many processes together.
func memoryOf(t testing.TB, pids []int) (all memory) {
	t.Helper()
	for _, pid := range pids {
		all.add(readMemory(t, pid))
	}
	return all
}

// memory of a process, in KiB.
type memory struct{ private, anonymous, proportional int }

func (m *memory) add(o memory) {
	m.private += o.private
	m.anonymous += o.anonymous
	m.proportional += o.proportional
}

func readMemory(t testing.TB, pid int) memory {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		t.Fatal(err)
	}
	var m memory
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			continue
		}
		kilobytes, _ := strconv.Atoi(fields[1])
		switch fields[0] {
		case "Private_Clean:", "Private_Dirty:":
			m.private += kilobytes
		case "Pss_Anon:":
			m.anonymous = kilobytes
		case "Pss:":
			m.proportional = kilobytes
		}
	}
	return m
}

// busy is the processor time that processes have used so far.
func busy(t testing.TB, pids ...int) time.Duration {
	t.Helper()
	ticks := 0
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			t.Fatal(err)
		}
		fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:]) // from the third on, see proc(5)
		for _, field := range fields[11:13] {
			n, _ := strconv.Atoi(string(field))
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
