package main

import (
	"net/http"
	"net/netip"
	"testing"
)

func TestClientAddress(t *testing.T) {
	address := clientAddress([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")})
	for name, c := range map[string]struct {
		remote  string
		headers []string
		want    string
	}{
		"direct":                         {"192.0.2.7:40000", nil, "192.0.2.7"},
		"direct with a made-up header":   {"192.0.2.7:40000", []string{"198.51.100.1"}, "192.0.2.7"},
		"one proxy":                      {"127.0.0.1:40000", []string{"192.0.2.7"}, "192.0.2.7"},
		"two proxies":                    {"127.0.0.1:40000", []string{"192.0.2.7, 10.0.0.9"}, "192.0.2.7"},
		"made-up entries before":         {"127.0.0.1:40000", []string{"198.51.100.1, 192.0.2.7"}, "192.0.2.7"},
		"in two headers":                 {"127.0.0.1:40000", []string{"198.51.100.1", "192.0.2.7"}, "192.0.2.7"},
		"proxy that adds nothing":        {"127.0.0.1:40000", nil, "127.0.0.1"},
		"proxy that passes on nonsense":  {"127.0.0.1:40000", []string{"unknown"}, "127.0.0.1"},
		"IPv6":                           {"[2001:db8::1]:40000", nil, "2001:db8::1"},
		"trusted IPv4 in an IPv6 socket": {"[::ffff:127.0.0.1]:40000", []string{"192.0.2.7"}, "192.0.2.7"},
	} {
		r := &http.Request{RemoteAddr: c.remote, Header: http.Header{"X-Forwarded-For": c.headers}}
		if got := address(r); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}
