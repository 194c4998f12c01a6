package views

import (
	"fmt"
	"time"
)

// Size says a number of bytes for a person.
func Size(n int64) string {
	value, unit := float64(n), "bytes"
	for _, next := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if value < 1024 {
			break
		}
		value, unit = value/1024, next
	}
	if unit == "bytes" {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%.1f %s", value, unit)
}

// left says how long something is still there.
func left(until, now time.Time) string {
	if d := until.Sub(now); d > 0 {
		return "kept for " + span(d) + " more"
	}
	return "about to be removed"
}
