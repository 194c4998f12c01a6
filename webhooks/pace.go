package webhooks

import (
	"math"
	"math/rand/v2"
	"time"

	"switchboard/sinks"
)

// pace is how patient deliveries are.
type pace struct {
	timeout time.Duration // of one attempt
	first   time.Duration // until the second attempt; each wait is half as long again …
	longest time.Duration // … up to this
	patient time.Duration // what was not taken after that is parked
	probe   time.Duration // wait between attempts at an endpoint that has taken nothing for long
	pause   time.Duration // an endpoint that took nothing for so long is paused …
	paused  time.Duration // … and tried so often
}

var usualPace = pace{
	timeout: 15 * time.Second,
	first:   250 * time.Millisecond,
	longest: time.Hour,
	patient: 24 * time.Hour,
	probe:   time.Minute,
	pause:   6 * time.Hour,
	paused:  time.Hour,
}

const (
	perEndpoint = sinks.AtOnce // chats that are posted to one endpoint at the same time
	tripAfter   = 5            // failures in a row; from there on an endpoint gets one attempt at a time
)

// step is the shortest wait after the nth attempt that failed. It grows gently, since a chat
// stands still meanwhile: who is spared by long waits is an endpoint that takes nothing, and
// between looks after that.
func (p pace) step(n int64) time.Duration {
	return time.Duration(min(float64(p.first)*math.Pow(1.5, float64(n-1)), float64(p.longest)))
}

// wait is how long to wait after the nth attempt that failed, half as long again at most, so
// that what failed together does not come back together.
func (p pace) wait(n int64) time.Duration {
	d := p.step(n)
	return d + rand.N(d/2+1)
}

// last is the attempt after which a delivery is parked: the waits before it make up at least
// the time for which deliveries are tried.
func (p pace) last() int64 {
	n, total := int64(1), time.Duration(0)
	for ; total < p.patient; n++ {
		total += p.step(n)
	}
	return n
}

// between is how long an endpoint is left alone that has taken nothing for so long: a fifth
// of that, a quarter at most so that many numbers do not come together, within bounds. So what
// waits for an endpoint is on its way soon after it is well again, whatever luck the attempts
// have with one that fails half of the time.
func (p pace) between(failing time.Duration) time.Duration {
	d := min(max(failing/5, p.first), p.probe)
	return d + rand.N(d/4+1)
}
