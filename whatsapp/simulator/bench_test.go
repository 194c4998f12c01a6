package simulator_test

import (
	"fmt"
	"runtime"
	"sync"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"

	"switchboard/whatsapp/simulator"
)

// crowd logs in pairs of accounts that confirm whatever they get.
func crowd(b *testing.B, n *simulator.Network, size int, delivered *sync.WaitGroup) []*raw {
	b.Helper()
	all := make([]*raw, size)
	for i := range all {
		r := rawAccount(b, n, fmt.Sprintf("49151%08d", i))
		r.first = func(s *waBinary.Node) {
			if s.Tag == "message" {
				r.confirm(s)
				delivered.Done()
			}
		}
		all[i] = r
	}
	var ready sync.WaitGroup
	for _, r := range all {
		ready.Go(func() { r.login(n.Addr()) })
	}
	ready.Wait()
	return all
}

// BenchmarkThousandConnections sends messages between a thousand connected clients, each
// confirmed by its receiver. The clients run in the same process and cost as much as the
// network itself.
func BenchmarkThousandConnections(b *testing.B) {
	n := startNetwork(b, b.TempDir(), "127.0.0.1:0")
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var delivered sync.WaitGroup
	all := crowd(b, n, 1000, &delivered)
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ResetTimer()
	delivered.Add(b.N)
	for i := range b.N {
		from, to := all[i%len(all)], all[(i+1)%len(all)]
		from.message(fmt.Sprint("M", i), to.lid, "hello", to.lid)
	}
	delivered.Wait()
	b.ReportMetric(float64(after.HeapInuse+after.StackInuse-before.HeapInuse-before.StackInuse)/float64(len(all))/1024, "KiB/connection+client")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}
