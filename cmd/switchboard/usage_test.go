package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/instances"
	"switchboard/resources"
)

// A file of charts that this program cannot read is left alone for a while, for the program that
// can: after an upgrade that was not what somebody wanted, or one that ends at once.
func TestChartsAreNotSavedAtTheStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, usageName)
	if err := os.WriteFile(path, []byte("of a newer program"), 0o600); err != nil {
		t.Fatal(err)
	}
	kept := func() bool {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(content) == "of a newer program"
	}
	synctest.Test(t, func(*testing.T) {
		end := sampleUsage(new(resources.Sampler), instances.NewSupervisor(instances.Options{}), dir, slog.New(slog.DiscardHandler))
		defer end()
		synctest.Wait()
		if !kept() {
			t.Error("they are saved at the start")
		}
		time.Sleep(saveUsageEvery)
		synctest.Wait()
		if kept() {
			t.Error("they are not saved")
		}
	})
}
