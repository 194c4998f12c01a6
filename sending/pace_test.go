package sending

import (
	"testing"
	"time"

	"switchboard/settings"
)

func TestNext(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 26, 23, 30, 15, 0, time.UTC) // half past midnight in Berlin
	for name, c := range map[string]struct {
		pace           settings.Pace
		last, stranger time.Duration // ago
		toStranger     bool
		want           time.Time
	}{
		"no pace":               {settings.Pace{}, 0, 0, true, now},
		"its turn":              {settings.Pace{PerMinute: 6}, 10 * time.Second, 0, false, now},
		"not yet":               {settings.Pace{PerMinute: 6}, 4 * time.Second, 0, false, now.Add(6 * time.Second)},
		"a stranger":            {settings.Pace{PerMinute: 6, NewChatPause: time.Minute}, 4 * time.Second, 10 * time.Second, true, now.Add(50 * time.Second)},
		"no stranger":           {settings.Pace{PerMinute: 6, NewChatPause: time.Minute}, 4 * time.Second, 10 * time.Second, false, now.Add(6 * time.Second)},
		"quiet":                 {settings.Pace{QuietFrom: 23 * 60, QuietTo: 23*60 + 45}, time.Hour, 0, false, time.Date(2026, 11, 26, 23, 45, 0, 0, time.UTC)},
		"quiet over midnight":   {settings.Pace{QuietFrom: 22 * 60, QuietTo: 7*60 + 30}, time.Hour, 0, false, time.Date(2026, 11, 27, 7, 30, 0, 0, time.UTC)},
		"quiet after midnight":  {settings.Pace{QuietFrom: 22 * 60, QuietTo: 7 * 60, Zone: "Europe/Berlin"}, time.Hour, 0, false, time.Date(2026, 11, 27, 6, 0, 0, 0, time.UTC)},
		"awake":                 {settings.Pace{QuietFrom: 1 * 60, QuietTo: 7 * 60, Zone: "Europe/Berlin"}, time.Hour, 0, false, now},
		"the minute of the end": {settings.Pace{QuietFrom: 22 * 60, QuietTo: 23*60 + 30}, time.Hour, 0, false, now},
		"the turn is quiet":     {settings.Pace{PerMinute: 1, QuietFrom: 23*60 + 31, QuietTo: 60}, time.Second, 0, false, time.Date(2026, 11, 27, 1, 0, 0, 0, time.UTC)},
		"a zone of nowhere":     {settings.Pace{QuietFrom: 23 * 60, QuietTo: 0, Zone: "Nowhere/Atoll"}, time.Hour, 0, false, time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)},
	} {
		if got := next(c.pace, now, now.Add(-c.last), now.Add(-c.stranger), c.toStranger); !got.Equal(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
