package phone

import "sync"

// line runs functions one after the other in the background, in the order in which they
// were added. It costs nothing while it is empty.
type line struct {
	mu      sync.Mutex
	waiting []func()
	running bool
}

// add puts f at the end of the line. run starts the goroutine that empties the line.
func (l *line) add(run func(func()), f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = append(l.waiting, f)
	if !l.running {
		l.running = true
		run(l.empty)
	}
}

func (l *line) empty() {
	for {
		l.mu.Lock()
		if len(l.waiting) == 0 {
			l.waiting, l.running = nil, false
			l.mu.Unlock()
			return
		}
		f := l.waiting[0]
		l.waiting = l.waiting[1:]
		l.mu.Unlock()
		f()
	}
}
