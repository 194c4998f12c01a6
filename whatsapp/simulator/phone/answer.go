package phone

import (
	"context"
	"time"

	"switchboard/fault"
)

// Answer makes a phone reply by itself to every text that it receives from a person: with
// Prefix and the text. Groups are left alone, and so are other phones that answer by
// themselves, since two of them would never stop.
type Answer struct {
	On     bool          `json:"on"`
	Prefix string        `json:"prefix"`
	Delay  time.Duration `json:"delay"` // between the message and the reply
}

// maxDelay is the longest pause before an answer.
const maxDelay = time.Minute

// SetAnswer switches answering on or off. It is kept over restarts; replies that wait for
// their turn are not.
func (p *Phone) SetAnswer(ctx context.Context, a Answer) error {
	if a.Delay < 0 || a.Delay > maxDelay {
		return fault.InField("delay", "A phone answers at once or within a minute.")
	}
	return p.remember(ctx, func(r *record) { r.Answer = a })
}

// Answering returns how the phone answers.
func (p *Phone) Answering() Answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.record.Answer
}

// answer puts the reply to e in line.
func (p *Phone) answer(e Entry) {
	a := p.Answering()
	if !a.On {
		return
	}
	if other, err := p.fleet.Phone(e.From); err == nil && e.Device == 0 && other.Answering().On {
		return
	}
	due := time.Now().Add(a.Delay)
	p.replies.add(p.fleet.background, func() {
		ctx := p.fleet.ctx
		pause := time.NewTimer(time.Until(due))
		defer pause.Stop()
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
		if _, err := p.SendText(ctx, e.Chat, a.Prefix+e.Text); err != nil && ctx.Err() == nil {
			p.log.Warn("phone could not answer", "error", err)
		}
	})
}
