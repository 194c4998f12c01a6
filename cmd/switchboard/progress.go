package main

import (
	"fmt"
	"io"
	"strings"

	"switchboard/moving"
	"switchboard/views"
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
		what := s.Name
		if s.Files.Files > 0 {
			what = filesIn(s.Files)
		}
		fmt.Fprintf(p.w, "\r\x1b[K[%s%s] %d of %d  %s %s", strings.Repeat("#", full), strings.Repeat(".", width-full), s.Done, s.Total, s.Number, what)
		p.drawn = true
	case !p.terminal && s.Name == moving.NumberDone && s.Files.Files > 0:
		fmt.Fprintf(p.w, "%d of %d: %s, %s\n", s.Done, s.Total, s.Number, filesIn(s.Files))
	case !p.terminal && s.Name == moving.NumberDone:
		fmt.Fprintf(p.w, "%d of %d: %s\n", s.Done, s.Total, s.Number)
	}
}

// filesIn says how many pictures and files there are.
func filesIn(c moving.Count) string {
	switch c.Files {
	case 0:
		return "no pictures and files"
	case 1:
		return "1 picture or file (" + views.Size(c.Bytes) + ")"
	}
	return fmt.Sprintf("%d pictures and files (%s)", c.Files, views.Size(c.Bytes))
}

// end leaves the bar's line.
func (p *progress) end() {
	if p.drawn {
		fmt.Fprintln(p.w)
		p.drawn = false
	}
}
