package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is the program under test, running one of its commands.
type process struct {
	t       testing.TB
	name    string
	cmd     *exec.Cmd
	changed *sync.Cond // of lines and ended
	lines   []string   // of standard output
	ended   bool
	stderr  lockedBuffer
}

// start runs the program in dir with just these variables. It is killed when the test ends.
func start(t testing.TB, dir string, vars []string, args ...string) *process {
	t.Helper()
	return startProgram(t, binary, dir, vars, args...)
}

// startProgram starts another build of the program.
func startProgram(t testing.TB, program, dir string, vars []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: strings.Join(args, " "), cmd: exec.Command(program, args...), changed: sync.NewCond(&sync.Mutex{})}
	p.cmd.Dir = dir
	p.cmd.Env = append([]string{"PATH=/usr/bin:/bin"}, vars...)
	p.cmd.Stderr = &p.stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for scan := bufio.NewScanner(stdout); scan.Scan(); {
			p.update(func() { p.lines = append(p.lines, scan.Text()) })
		}
		_ = p.cmd.Wait()
		p.update(func() { p.ended = true })
	}()
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("%s wrote:\n%s\n%s", p.name, strings.Join(p.lines, "\n"), p.stderr.tail(20_000))
		}
	})
	return p
}

func (p *process) update(change func()) {
	p.changed.L.Lock()
	change()
	p.changed.L.Unlock()
	p.changed.Broadcast()
}

// line waits for a line of standard output and returns what the expression's group holds.
func (p *process) line(expression string) string {
	p.t.Helper()
	re := regexp.MustCompile(expression)
	late := false
	wake := time.AfterFunc(patience, func() { p.update(func() { late = true }) })
	defer wake.Stop()
	p.changed.L.Lock()
	defer p.changed.L.Unlock()
	for seen := 0; ; {
		for ; seen < len(p.lines); seen++ {
			if match := re.FindStringSubmatch(p.lines[seen]); match != nil {
				return match[len(match)-1]
			}
		}
		if p.ended || late {
			p.t.Fatalf("%s never printed %q", p.name, expression)
		}
		p.changed.Wait()
	}
}

// over reports whether the process has ended.
func (p *process) over() bool {
	p.changed.L.Lock()
	defer p.changed.L.Unlock()
	return p.ended
}

// stop ends the process as a person would and returns its exit code. If it does not end it
// is killed, which fails the test.
func (p *process) stop() int {
	p.t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	return p.wait()
}

// wait waits for the end of the process and returns its exit code.
func (p *process) wait() int {
	p.t.Helper()
	kill := time.AfterFunc(patience, func() {
		p.t.Errorf("%s did not end", p.name)
		_ = p.cmd.Process.Kill()
	})
	defer kill.Stop()
	p.changed.L.Lock()
	for !p.ended {
		p.changed.Wait()
	}
	p.changed.L.Unlock()
	return p.cmd.ProcessState.ExitCode()
}

// commandIn runs a command of the program in dir, with just these variables, to its end.
func commandIn(dir string, vars []string, stdin string, args ...string) (string, error) {
	cmd := exec.Command(binary, args...)
	cmd.Dir = dir
	cmd.Env = append([]string{"PATH=/usr/bin:/bin"}, vars...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// endAll ends what a failed test may have left: processes that run the program under test.
func endAll() {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if exe, _ := os.Readlink("/proc/" + e.Name() + "/exe"); strings.HasPrefix(exe, filepath.Dir(binary)) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// alive reports whether a process runs. A zombie, which only waits to be counted, does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := bytes.Cut(stat, []byte(") ")) // behind the name, which may hold anything but this
	return err == nil && !bytes.HasPrefix(state, []byte("Z"))
}

// lockedBuffer collects what a process writes while a test may look at it.
type lockedBuffer struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	heard func(written []byte)
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.heard != nil {
		b.heard(p)
	}
	return b.buf.Write(p)
}

// hear has f called with whatever is written from now on.
func (b *lockedBuffer) hear(f func(written []byte)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.heard = f
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *lockedBuffer) tail(n int) string {
	s := b.String()
	return s[max(0, len(s)-n):]
}
