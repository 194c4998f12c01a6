package gowatest

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Lap is how long something took that was done many times.
type Lap struct {
	Whole     time.Duration   // from the first to the end of the last
	Each      []time.Duration // in no order
	Processor time.Duration   // that was spent on it, as far as it is known
}

// Flight does something count times, so many at once.
func Flight(count, flying int, do func()) Lap {
	l := Lap{Each: make([]time.Duration, count)}
	var next atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for range flying {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(count); i = next.Add(1) - 1 {
				start := time.Now()
				do()
				l.Each[i] = time.Since(start)
			}
		})
	}
	all.Wait()
	l.Whole = time.Since(began)
	return l
}

// Add counts another lap's in.
func (l *Lap) Add(m Lap) {
	l.Whole, l.Processor, l.Each = l.Whole+m.Whole, l.Processor+m.Processor, append(l.Each, m.Each...)
}

// Rate is how often it was done in a second.
func (l *Lap) Rate() float64 { return float64(len(l.Each)) / l.Whole.Seconds() }

// Cost is how many milliseconds of a processor each took.
func (l *Lap) Cost() float64 { return milliseconds(l.Processor) / float64(len(l.Each)) }

// Quantile is the time, in milliseconds, within which so many of a hundred were done.
func (l *Lap) Quantile(percent int) float64 {
	slices.Sort(l.Each)
	return milliseconds(l.Each[(len(l.Each)-1)*percent/100])
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
