package whatsapp

import (
	"context"
	"time"

	"switchboard/fault"
)

// gate is the context of a message that is encrypted while it is being stored. Whatever
// whatsmeow writes to WhatsApp, it asks for the error of the context right before, with
// nothing in between; there it waits until the message is stored. So nothing goes out that
// would be forgotten if the process ended now. When it cannot be stored, the step that its
// encryption was to the session is lost with it, which the other end does not mind.
type gate struct {
	context.Context
	over chan struct{} // closed when the message is stored, or cannot be
	err  error         // why it could not
}

// storeTime is how long a frame waits for a message to be stored. No other can go out
// meanwhile, not even the sign of life that WhatsApp waits for.
const storeTime = 10 * time.Second

var errNotStored = fault.New(fault.Unavailable, "The message could not be stored in time, so it was not sent. Try again in a minute.")

func newGate(ctx context.Context) *gate { return &gate{Context: ctx, over: make(chan struct{})} }

// open says that the message is stored, or why it could not be.
func (g *gate) open(err error) {
	g.err = err
	close(g.over)
}

// stored returns when the message is stored, or why it could not be.
func (g *gate) stored() error {
	<-g.over
	return g.err
}

// Err waits for the message to be stored; see gate.
func (g *gate) Err() error {
	select {
	case <-g.over:
	default:
		late := time.NewTimer(storeTime)
		defer late.Stop()
		select {
		case <-g.over:
		case <-late.C:
			return errNotStored
		}
	}
	if g.err != nil {
		return g.err
	}
	return g.Context.Err()
}
