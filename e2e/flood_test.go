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
	floodSends  = 300 // that are timed, in quiet and in the flood
	floodPhones = 4   // that write to the flooded number as fast as it goes
)

// BenchmarkFlood measures how long a number takes to send while another one is flooded with
// messages, beside what it takes when all is quiet, and counts what the flooded one lost.
func BenchmarkFlood(b *testing.B) {
	for b.Loop() { // what counts is measured once, below
	}
	b.ReportMetric(0, "ns/op")
	f := startFleet(b, 2, 34000)
	flooded, other := 0, 1
	friend := f.network.addPhone("491703000000", "Friend")
	timed := func(what string) []time.Duration {
		took := make([]time.Duration, floodSends)
		for n := range took {
			began := time.Now()
			f.api.send(f.numbers[other].ID, friend.number, fmt.Sprintf("%s %d", what, n))
			took[n] = time.Since(began)
		}
		slices.Sort(took)
		return took
	}
	timed("warm")
	quiet := timed("quiet")

	var writing sync.WaitGroup
	over, stop := context.WithCancel(b.Context())
	sent := make([][]string, floodPhones)
	for i := range floodPhones {
		phone := f.network.addPhone(fmt.Sprintf("4917030000%02d", i+1), "Flood")
		writing.Go(func() {
			for n := 0; over.Err() == nil; n++ {
				text := fmt.Sprintf("flood %d %d", i, n)
				phone.send(f.phones[flooded].number, text)
				sent[i] = append(sent[i], text)
			}
		})
	}
	storm := timed("storm")
	stop()
	writing.Wait()
	all := slices.Concat(sent...)
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
	for name, took := range map[string][]time.Duration{"quiet": quiet, "flood": storm} {
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-p50-"+name)
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99-"+name)
	}
	b.ReportMetric(float64(len(all)), "messages-in-the-flood")
	b.ReportMetric(float64(missing()), "lost")
}
