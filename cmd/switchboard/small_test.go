package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSmallRuntime notices a version of Go for which scripts/small.sh has to be looked at
// again: numbers would take more memory than they have to.
func TestSmallRuntime(t *testing.T) {
	cmd := exec.Command("../../scripts/small.sh")
	cmd.Env = append(os.Environ(), "GOFLAGS=")
	out, err := cmd.Output()
	path, ok := strings.CutPrefix(strings.TrimSpace(string(out)), "-overlay=")
	if err != nil || !ok {
		t.Fatalf("it prints %q, %v", out, err)
	}
	for file, lines := range map[string][]string{
		"mspanset.go": {"spanSetBlockEntries = 32 ", "spanSetInitSpineCap = 8 "},
		"mheap.go":    {"gcBitsChunkBytes = uintptr(8 << 10)"},
	} {
		changed, err := os.ReadFile(filepath.Join(filepath.Dir(path), file))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines {
			if !strings.Contains(string(changed), line) {
				t.Errorf("the runtime's %s has no line %q", file, line)
			}
		}
	}
}
