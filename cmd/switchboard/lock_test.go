package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Who was killed while starting a worker has its locks for a moment longer.
func TestALockThatIsGivenBackInAMoment(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	held, err := flock(path, os.O_CREATE, "STORAGE_DIR", "folder")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := flock(path, 0, "STORAGE_DIR", "folder"); err == nil {
		t.Fatal("two have the lock")
	}
	time.AfterFunc(50*time.Millisecond, held)
	release, err := flockSoon(path, 0, "STORAGE_DIR", "folder")
	if err != nil {
		t.Fatal(err)
	}
	release()
}
