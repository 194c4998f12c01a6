package processes

import (
	"fmt"
	"os"
	"sync"
)

// programs are those of other versions, by version. Each is an open file: an upgrade that puts
// another file in its place, or removes it, changes nothing about what an open one holds, so
// that a number can go back to the version it came from for as long as this process lives.
type programs struct {
	mu   sync.Mutex
	open map[string]*os.File
}

// keep opens the program of a version at path, unless there is one already.
func (p *programs) keep(version, path string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open[version] != nil {
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("keep the program of version %s: %w", version, err)
	}
	if p.open == nil {
		p.open = make(map[string]*os.File)
	}
	p.open[version] = file
	return nil
}

// path returns what to execute for a version, if its program was kept.
func (p *programs) path(version string) (path string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	file := p.open[version]
	if file == nil {
		return "", false
	}
	// Not /proc/self: a child that is about to execute rearranges its own descriptors.
	return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), file.Fd()), true
}
