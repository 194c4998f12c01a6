package main

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// clientAddress returns a function that tells which address a request came from. The
// header X-Forwarded-For is read from its end, and only as long as the one who wrote an
// entry is a trusted proxy: everything before may be made up by the client.
func clientAddress(trusted []netip.Prefix) func(*http.Request) string {
	isTrusted := func(addr netip.Addr) bool {
		for _, p := range trusted {
			if p.Contains(addr) {
				return true
			}
		}
		return false
	}
	return func(r *http.Request) string {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			return r.RemoteAddr
		}
		addr, err := netip.ParseAddr(host)
		if err != nil {
			return host
		}
		addr = addr.Unmap()
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		for i := len(hops) - 1; i >= 0 && isTrusted(addr); i-- {
			hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
			if err != nil {
				break
			}
			addr = hop.Unmap()
		}
		return addr.String()
	}
}
