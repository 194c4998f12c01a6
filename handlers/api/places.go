package api

import (
	"maps"
	"slices"
	"strings"

	"switchboard/instances"
	"switchboard/webhooks"
)

// places is how far a stream has come: with all numbers to about the same event, and with some
// not as far. Whoever resumes a stream hands it back, so it is the id of every line: that
// of the event, and behind it the numbers that are behind.
type places struct {
	event  string
	behind map[instances.ID]string // as webhooks.Follow takes them
}

// mostBehind is how many numbers an id names; a header has to hold it.
const mostBehind = 64

func parsePlaces(id string) places {
	if strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
		id = "" // none that was ever sent
	}
	event, rest, _ := strings.Cut(id, ";")
	p := places{event, map[instances.ID]string{}}
	for pair := range strings.SplitSeq(rest, ";") {
		if number, place, ok := strings.Cut(pair, "="); ok && len(p.behind) < mostBehind {
			p.behind[instances.ID(number)] = place
		}
	}
	return p
}

// of returns where a number is followed from.
func (p places) of(id instances.ID) string {
	if place := p.behind[id]; place != "" {
		return place
	}
	return p.event
}

// after is the id of a line with an event of a number: with that number it has come as far as
// the event.
func (p places) after(number instances.ID, event string) string {
	var b strings.Builder
	b.WriteString(event)
	n := 0
	for _, id := range slices.Sorted(maps.Keys(p.behind)) {
		if id == number || n == mostBehind {
			continue
		}
		n++
		b.WriteString(";" + string(id) + "=" + p.behind[id])
	}
	return b.String()
}

// mayLack tells whether a number may have stored something from a place on: not if it has
// not run since.
func mayLack(i instances.Instance, place string) bool {
	if i.PID != 0 || strings.HasPrefix(place, "#") {
		return true
	}
	at, ok := webhooks.MomentOf(place)
	return !ok || i.Since.After(at)
}
