package sending

import (
	"time"

	"switchboard/settings"
)

// on reports whether a pace slows anything down.
func on(p settings.Pace) bool {
	return p.PerMinute > 0 || p.NewChatPause > 0 || p.QuietFrom != p.QuietTo
}

// next returns the earliest time, from now on, at which a message may go out, after the last
// one went out and after the last one to a stranger did. The zone of a pace is known to be
// good; one that is not is UTC.
func next(p settings.Pace, now, last, lastStranger time.Time, stranger bool) time.Time {
	at := now
	if p.PerMinute > 0 {
		at = later(at, last.Add(time.Minute/time.Duration(p.PerMinute)))
	}
	if stranger {
		at = later(at, lastStranger.Add(p.NewChatPause))
	}
	return awake(p, at)
}

// awake returns at, or the end of the quiet hours that at lies in.
func awake(p settings.Pace, at time.Time) time.Time {
	if p.QuietFrom == p.QuietTo {
		return at
	}
	zone, err := time.LoadLocation(p.Zone)
	if err != nil {
		zone = time.UTC
	}
	local := at.In(zone)
	minute := local.Hour()*60 + local.Minute()
	quiet := minute >= p.QuietFrom && minute < p.QuietTo
	if p.QuietFrom > p.QuietTo { // over midnight
		quiet = minute >= p.QuietFrom || minute < p.QuietTo
	}
	if !quiet {
		return at
	}
	day := local.Day()
	if minute >= p.QuietTo {
		day++
	}
	return time.Date(local.Year(), local.Month(), day, p.QuietTo/60, p.QuietTo%60, 0, 0, zone)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
