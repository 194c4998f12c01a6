package main

import (
	"fmt"
	"io"
	"strings"

	"switchboard/moving"
)

// progress shows how far something is: a bar on a terminal, a line for each number anywhere
// else.
type progress struct {
	w        io.Writer
	terminal bool
	drawn    bool
}

func newProgress(w io.Writer) *progress { return &progress{w: w, terminal: isTerminal(w)} }

func (p *progress) show(s moving.Step) {
	const width = 30
	switch {
	case p.terminal && s.Total > 0:
		full := width * s.Done / s.Total
		fmt.Fprintf(p.w, "\r\x1b[K[%s%s] %d of %d  %s %s", strings.Repeat("#", full), strings.Repeat(".", width-full), s.Done, s.Total, s.Number, s.Name)
		p.drawn = true
	case !p.terminal && s.Name == moving.NumberDone:
		fmt.Fprintf(p.w, "%d of %d: %s\n", s.Done, s.Total, s.Number)
	}
}

// end leaves the bar's line.
func (p *progress) end() {
	if p.drawn {
		fmt.Fprintln(p.w)
		p.drawn = false
	}
}
