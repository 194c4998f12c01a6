package instances

import "switchboard/fault"

const maxPort = 65535

// freePort returns the lowest port from start upward that is not in use, or a fault.
func freePort(start int, used map[int]bool, free func(int) bool) (int, error) {
	for port := start; port <= maxPort; port++ {
		if !used[port] && (free == nil || free(port)) {
			return port, nil
		}
	}
	return 0, fault.New(fault.Unavailable, "No port is left for another number. Delete numbers that are no longer needed, or set WORKER_PORT_START lower.")
}
