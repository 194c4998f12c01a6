package main

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A number that was deleted in the panel can be had back, unless that was declined.
func TestDeletedNumber(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ vars, query string }{
		"kept":                      {},
		"declined for all":          {vars: "KEEP_DELETED_DAYS=0"},
		"declined for this one":     {query: "?backup=false"},
		"not declined for this one": {query: "?backup=true"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, id := withNumber(t)
			write(t, dir, ".env", c.vars)
			added := runIn(t, dir, nil, "", "token", "add", "--user", "owner@example.com", "--name", "test")
			expect(t, added, 0)
			lines := strings.Split(strings.TrimSpace(added.stdout), "\n")
			server := startServe(t, dir)
			ask := func(method, query string) int {
				t.Helper()
				r, err := http.NewRequestWithContext(t.Context(), method, server.url+"/api/v1/instances/"+string(id)+query, nil)
				must(t, err)
				r.Header.Set("Authorization", "Bearer "+lines[len(lines)-1])
				answer, err := http.DefaultClient.Do(r)
				must(t, err)
				must(t, answer.Body.Close())
				return answer.StatusCode
			}
			if code := ask(http.MethodDelete, c.query); code/100 != 2 {
				t.Fatalf("deletion answered %d", code)
			}
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for ask(http.MethodGet, "") != http.StatusNotFound {
				<-tick.C
			}
			server.stop(t)
			if c.vars != "" || c.query == "?backup=false" {
				expect(t, runIn(t, dir, nil, "", "restore", "--deleted", string(id)), 1, "No backup")
				return
			}
			if left, err := filepath.Glob(filepath.Join(dir, "storages", "instances", "*")); err != nil || len(left) > 0 {
				t.Errorf("left %v, %v", left, err)
			}
			expect(t, runIn(t, dir, nil, "", "restore", "--list-deleted"), 0, string(id))
			expect(t, runIn(t, dir, nil, "", "restore", "--deleted", string(id)), 0, "Restored Shop")
			if got := textsOf(t, dir, id); got != "Grüße" {
				t.Errorf("the message is %q", got)
			}
		})
	}
}
