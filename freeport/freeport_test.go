package freeport

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"
)

func TestMain(m *testing.M) {
	if os.Getenv("TAKE") == "" {
		os.Exit(m.Run())
	}
	for range 200 {
		port, err := Take()
		fmt.Println(port, err)
	}
	fmt.Println("all")
	_, _ = os.Stdin.Read(make([]byte, 1)) // the ports are its own until it ends
}

// Ports that one process has are not given to another one, though nobody listens there.
func TestEachPortIsTakenOnce(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 3 {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = []string{"TAKE=1"}
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			_ = in.Close()
			_ = cmd.Wait()
		}()
		for {
			var port, problem string
			if _, err := fmt.Fscan(out, &port); err != nil {
				t.Fatal(err)
			}
			if port == "all" {
				break
			}
			if _, err := fmt.Fscan(out, &problem); err != nil || problem != "<nil>" || seen[port] {
				t.Fatalf("port %s: %s %v, taken before: %v", port, problem, err, seen[port])
			}
			seen[port] = true
		}
	}
	for port := range seen {
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
	}
}

// A row of ports is long enough, and none of it is given to anybody else.
func TestRow(t *testing.T) {
	t.Parallel()
	const n = 20
	start, err := Row(n)
	if err != nil {
		t.Fatal(err)
	}
	for port := start; port < start+n; port++ {
		if take(port) {
			t.Errorf("port %d of the row was taken a second time", port)
		}
	}
}
