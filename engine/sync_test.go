package engine_test

import (
	"os"
	"path/filepath"
	"testing"

	"switchboard/engine"
)

// SQLite's log comes with the first connection and goes with the last one.
func TestSync(t *testing.T) {
	t.Parallel()
	file := engine.At(filepath.Join(t.TempDir(), "db"))
	if err := file.Create(); err != nil {
		t.Fatal(err)
	}
	db, err := file.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE "a" ("b" INTEGER)`); err != nil {
		t.Fatal(err)
	}
	log := file.Path + "-wal"
	if _, err := os.Stat(log); err != nil {
		t.Fatal(err)
	}
	if err := file.Sync(); err != nil {
		t.Errorf("while it is open: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := file.Sync(); err != nil {
		t.Errorf("when it is closed: %v", err)
	}
	if err := os.Symlink("/dev/full", log); err != nil { // which nothing can be written to for good
		t.Fatal(err)
	}
	if err := file.Sync(); err == nil {
		t.Error("what the disk refuses is said to be kept")
	}
}
