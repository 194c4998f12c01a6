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
func Take() (int, error) {
	from := rand.IntN(count)
	for i := range count {
		port := first + (from+i)%count
		// The name stands for the port among all processes, and goes with this one.
		own, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: fmt.Sprintf("@switchboard-test-port-%d", port)})
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil { // some other program's
			_ = own.Close()
			continue
		}
		kept.Store(port, own) // what nobody refers to is closed
		return port, l.Close()
	}
	return 0, fmt.Errorf("no port from %d to %d is free", first, first+count-1)
}
