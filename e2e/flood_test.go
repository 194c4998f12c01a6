package e2e

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// What BenchmarkFlood does.
const (
	floodSends  = 300 // that are timed, each time
	floodPhones = 4   // that write as fast as it goes
)

// BenchmarkFlood measures how long a number takes to send while another one is flooded with
// messages, beside what it takes when all is quiet, and counts what the flooded one lost. The
// phones of the flood and the network take more of the machine than any number: how long a
// send takes while they write to a phone, which is no number's, is told as well.
func BenchmarkFlood(b *testing.B) {
	for b.Loop() { // what counts is measured once, below
	}
	b.ReportMetric(0, "ns/op")
	f := startFleet(b, 2, 31000)
	flooded, other := 0, 1
	friend := f.network.addPhone("491703000000", "Friend")
	bystander := f.network.addPhone("491703000099", "Bystander")
	phones := make([]*handset, floodPhones)
	for i := range phones {
		phones[i] = f.network.addPhone(fmt.Sprintf("4917030000%02d", i+1), "Flood")
	}
	processes := map[string]int{
		"phones":  f.network.cmd.Process.Pid,
		"panel":   f.process.cmd.Process.Pid,
		"flooded": f.numbers[flooded].PID,
		"other":   f.numbers[other].PID,
	}
	timed := func(what string) {
		took := make([]time.Duration, floodSends)
		before, start := map[string]time.Duration{}, time.Now()
		for name, pid := range processes {
			before[name] = busy(b, pid)
		}
		for n := range took {
			began := time.Now()
			f.api.send(f.numbers[other].ID, friend.number, fmt.Sprintf("%s %d", what, n))
			took[n] = time.Since(began)
		}
		all := time.Since(start)
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-p50-"+what)
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99-"+what)
		if what == "flood" {
			for name, pid := range processes {
				b.ReportMetric(100*(busy(b, pid)-before[name]).Seconds()/all.Seconds(), "%core-"+name)
			}
		}
	}
	// storm lets all phones write to a number while do runs, and returns what they wrote.
	storm := func(to, what string, do func()) []string {
		var writing sync.WaitGroup
		over, stop := context.WithCancel(b.Context())
		sent := make([][]string, floodPhones)
		for i, phone := range phones {
			writing.Go(func() {
				for n := 0; over.Err() == nil; n++ {
					text := fmt.Sprintf("%s %d %d", what, i, n)
					phone.send(to, text)
					sent[i] = append(sent[i], text)
				}
			})
		}
		do()
		stop()
		writing.Wait()
		return slices.Concat(sent...)
	}
	timed("first")
	timed("quiet")
	storm(bystander.number, "elsewhere", func() { timed("phones-alone") })
	all := storm(f.phones[flooded].number, "flood", func() { timed("flood") })
	missing := func() (n int) {
		stored := f.panel.talk(f.numbers[flooded])
		for _, text := range all {
			if stored.in[text] == 0 {
				n++
			}
		}
		return n
	}
	poll(b, "all of the flood is stored", func() bool { return missing() == 0 }, func() string { return fmt.Sprintf("%d of %d are missing", missing(), len(all)) })
	b.ReportMetric(float64(len(all)), "messages-in-the-flood")
	b.ReportMetric(float64(missing()), "lost")
}
