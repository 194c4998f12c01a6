package worker

import (
	"slices"
	"testing"
)

func TestWhenMemoryIsGivenBack(t *testing.T) {
	const kib, mib = uint64(1 << 10), uint64(1 << 20)
	for name, c := range map[string]struct {
		minutes []uint64 // what is allocated in each
		due     []int    // at the end of which memory is given back
		settled []int    // of them, the quiet ones
	}{
		"a start":                {[]uint64{3 * mib, 30 * kib, 30 * kib, 30 * kib}, []int{0, 1}, []int{1}},
		"a busy minute":          {[]uint64{3 * mib, 0, 9 * mib, 0, 0}, []int{0, 1, 2, 3}, []int{1, 3}},
		"an ordinary pace":       {[]uint64{3 * mib, 0, 750 * kib, 750 * kib, 750 * kib, 750 * kib, 0, 0}, []int{0, 1, 4, 6}, []int{1, 6}},
		"one message":            {[]uint64{3 * mib, 0, 300 * kib, 0, 0}, []int{0, 1, 3}, []int{1, 3}},
		"next to nothing, often": {append([]uint64{3 * mib}, slices.Repeat([]uint64{30 * kib}, 12)...), []int{0, 1, 10}, []int{1, 10}},
	} {
		t.Run(name, func(t *testing.T) {
			var u usage
			var now uint64
			var dues, settled []int
			for minute, bytes := range c.minutes {
				now += bytes
				due, quiet := u.minute(now)
				if due {
					dues = append(dues, minute)
				}
				if due && quiet {
					settled = append(settled, minute)
				}
			}
			if !slices.Equal(dues, c.due) || !slices.Equal(settled, c.settled) {
				t.Errorf("it is given back at the end of minutes %v, quiet ones %v", dues, settled)
			}
		})
	}
}
