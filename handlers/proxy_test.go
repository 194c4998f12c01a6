package handlers

import (
	"context"
	"net/http"
	"testing"

	"switchboard/auth"
	"switchboard/fault"
)

func TestProxyPage(t *testing.T) {
	t.Parallel()
	var tried string
	s := newSite(t, func(o *Options) {
		o.ThroughProxy = func(_ context.Context, address string) error {
			tried = address
			if address == "http://away.example:80" {
				return fault.New(fault.Unavailable, "The proxy does not answer.")
			}
			return nil
		}
	})
	b := s.signedIn(auth.Owner)
	s.numbers.set(connected(s.owner))
	page := "/instances/" + string(known) + "/proxy"
	if got := b.post(page, "proxy", "ftp://x"); got.code != http.StatusUnprocessableEntity {
		t.Errorf("no proxy: %d", got.code)
	}
	if got := b.post(page, "proxy", "socks5://ada:s3cret@proxy.example"); got.code != http.StatusSeeOther {
		t.Fatalf("save: %d %s", got.code, got.body)
	}
	got := b.get(page)
	got.has(t, "socks5://ada:xxxxx@proxy.example:1080")
	got.lacks(t, "s3cret")
	// What is shown stands for what is kept.
	b.post(page+"/test", "proxy", "socks5://ada:xxxxx@proxy.example:1080").has(t, `data-testid="proxy-works"`)
	if tried != "socks5://ada:s3cret@proxy.example:1080" {
		t.Errorf("tried %q", tried)
	}
	b.post(page, "proxy", "socks5://ada:xxxxx@proxy.example:1080")
	if set, err := s.settings.Get(t.Context(), known); err != nil || set.Proxy != tried {
		t.Errorf("kept %q, %v", set.Proxy, err)
	}
	if got := b.post(page+"/test", "proxy", "http://away.example"); got.code != http.StatusServiceUnavailable {
		t.Errorf("a proxy that is away: %d", got.code)
	}
	b.post(page, "proxy", "")
	if set, err := s.settings.Get(t.Context(), known); err != nil || set.Proxy != "" {
		t.Errorf("kept %q, %v", set.Proxy, err)
	}
}
