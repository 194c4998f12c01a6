// Package freeport gives tests ports for servers that have to be told where to listen.
//
// A port that the system has just given and taken back may belong to any connection or server
// when it is needed, or when a server is started again. These are none that the system gives,
// and none that another process of tests on this machine has.
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// The ports lie below those that systems give, and apart from those that tests choose.
const first, count = 10_000, 10_000

var kept sync.Map // by port: the sockets that hold them

// Take returns a port on which nobody listens. It stays this process's own until that ends.
func Take() (int, error) { return Row(1) }

// Row returns the first of n ports that follow each other, as Take does.
func Row(n int) (int, error) {
	from := rand.IntN(count)
	for i := 0; i < count; {
		start := first + (from+i)%count
		got := 0
		for got < n && start+got < first+count && take(start+got) {
			got++
		}
		if got == n {
			return start, nil
		}
		for port := start; port < start+got; port++ {
			if own, ok := kept.LoadAndDelete(port); ok {
				_ = own.(*net.UnixListener).Close()
			}
		}
		i += got + 1
	}
	return 0, fmt.Errorf("no %d ports from %d to %d are free", n, first, first+count-1)
}

func take(port int) bool {
	// The name stands for the port among all processes, and goes with this one.
	own, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: fmt.Sprintf("@switchboard-test-port-%d", port)})
	if err != nil {
		return false
	}
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil { // some other program's
		_ = own.Close()
		return false
	}
	kept.Store(port, own) // what nobody refers to is closed
	return l.Close() == nil
}
