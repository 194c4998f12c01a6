package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"switchboard/isolation/pgtest"
)

// binary is the program under test, built once.
var binary string

// patience is how long a test waits for something that has to happen. It is long because
// machines are slow, and costs nothing where the thing happens.
const patience = 60 * time.Second

func TestMain(m *testing.M) {
	flag.Parse()
	// Tests wait for other processes, most of the time: there is room for one more than there are
	// processors.
	if usual := strconv.Itoa(runtime.GOMAXPROCS(0)); flag.Lookup("test.parallel").Value.String() == usual {
		_ = flag.Set("test.parallel", strconv.Itoa(runtime.GOMAXPROCS(0)+1)) // it is a number
	}
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "switchboard-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "switchboard")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "switchboard/cmd/switchboard")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program under test: %v\n%s", err, out)
		return 1
	}
	defer pgtest.Stop()
	defer endAll()
	defer closeBrowser()
	return m.Run()
}

// within returns a context for one step of a test.
func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

var workerPorts atomic.Int32

// nextWorkerPorts returns a WORKER_PORT_START that no other panel of this test run uses.
func nextWorkerPorts() int { return 21000 + 40*int(workerPorts.Add(1)) }
