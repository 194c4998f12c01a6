package egress

import (
	"net/netip"
	"strings"
	"testing"
)

// No way of writing an address inside gets past the guard.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{"127.0.0.1:80", "[::1]:80", "[::ffff:10.0.0.1]:80", "169.254.169.254:80", "[64:ff9b::7f00:1]:443", "0x7f.1:80", "2130706433:80"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		if New(nil).check(address) != nil {
			return
		}
		a, err := netip.ParseAddrPort(address)
		if err != nil || a.Addr().Unmap().IsLoopback() || a.Addr().Unmap().IsPrivate() || a.Addr().Unmap().IsLinkLocalUnicast() || a.Addr().Unmap().IsUnspecified() {
			t.Errorf("%q is let out", address)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"https://example.org/hook?x=1", "http://[::1]:80/", "http://user:password@example.org", "//x", "https://x\r\ny"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := Parse(text)
		if err == nil && (u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.ContainsAny(u.String(), "\r\n")) {
			t.Errorf("%q became %q", text, u)
		}
	})
}
