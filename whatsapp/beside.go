package whatsapp

import "time"

// spare are goroutines that have sent a message and wait a moment for the next one. A new one
// would begin with a small stack, which whatsmeow's way down to the socket has grow four times.
type spare chan func()

// spareTime is how long one waits.
const spareTime = time.Second

// run runs f beside the caller.
func (s spare) run(f func()) {
	select {
	case s <- f:
	default:
		go s.serve(f)
	}
}

func (s spare) serve(f func()) {
	idle := time.NewTimer(spareTime)
	defer idle.Stop()
	for {
		f()
		idle.Reset(spareTime)
		select {
		case f = <-s:
		case <-idle.C:
			return
		}
	}
}
