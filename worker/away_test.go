package worker_test

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"switchboard/control"
	"switchboard/isolation/isolationtest"
	"switchboard/isolation/pgtest"
)

// The server ends the connection of a worker that starts, in the middle of something, as when it is
// restarted. The worker goes on when it is back, and is not started once more.
func TestAServerThatGoesAwayWhileAWorkerStarts(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	place := isolationtest.Place{URI: database.URI, StorageDir: t.TempDir(), Tag: "_" + database.Tag}
	number := place.ID("interrupted")
	access, err := isolationtest.Open(t, place).Provision(t.Context(), number)
	must(t, err)
	dir := filepath.Join(place.StorageDir, "instances", string(number))
	must(t, os.MkdirAll(dir, 0o700))
	doc := control.StartDocument{
		ID: number, Name: "Test", Version: "test", Dir: dir,
		Listen: freeAddr(t), Token: rand.Text() + rand.Text(), Database: access, LogLevel: "debug",
		Simulator: &control.Simulator{Addr: freeAddr(t), RootKey: strings.Repeat("07", 32)},
	}
	var r *running
	must(t, pgtest.Interrupt(t, access.Main, "lease", func() error {
		r = process(t, doc, nil)
		return nil
	}))
	r.reports(t)
}
