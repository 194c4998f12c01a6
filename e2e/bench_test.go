package e2e

import (
	"fmt"
	"testing"
	"time"

	"switchboard/isolation/pgtest"
)

// BenchmarkCreateToCode measures what a person waits: from the click on "create" until a QR
// code is on the screen.
func BenchmarkCreateToCode(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { createToCode(b) })
	b.Run("postgres", func(b *testing.B) { createToCode(b, "DB_URI="+pgtest.New(b).URI) })
}

func createToCode(b *testing.B, database ...string) {
	network := startNetwork(b)
	panel := startPanel(b, network, database...)
	page := newTab(b)
	panel.signIn(page)
	api := panel.withToken()
	var longest time.Duration
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		page.open(panel.url + "/instances/new")
		page.fill("new-form", "name", fmt.Sprintf("Bench %d", n))
		b.StartTimer()
		began := time.Now()
		page.submit("new-form", "submit")
		page.eval(patience, `document.querySelector('[data-testid="countdown"]') !== null`, "a code is on the screen")
		longest = max(longest, time.Since(began))
		b.StopTimer()
		if _, err := decode(page.screenshot()); err != nil {
			b.Fatalf("what is on the screen is no code: %v", err)
		}
		api.delete(page.id())
		b.StartTimer()
	}
	b.ReportMetric(float64(longest.Milliseconds()), "ms-longest")
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/code")
	b.ReportMetric(0, "ns/op") // milliseconds say it better
}
