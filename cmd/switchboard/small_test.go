package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSmall notices a version of Go or of protobuf for which scripts/small.sh has to be looked at
// again: numbers would take more memory than they have to.
func TestSmall(t *testing.T) {
	cmd := exec.Command("../../scripts/small.sh")
	cmd.Env = append(os.Environ(), "GOFLAGS=")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	flags := map[string]string{}
	for flag := range strings.FieldsSeq(string(out)) {
		name, value, _ := strings.Cut(flag, "=")
		flags[name] = value
	}
	if len(flags) != 3 {
		t.Fatalf("it prints %q", out)
	}
	for file, lines := range map[string][]string{
		flags["-overlay"]: {"mspanset.go", "mheap.go"},
		filepath.Join(filepath.Dir(flags["-overlay"]), "mspanset.go"): {"spanSetBlockEntries = 32 ", "spanSetInitSpineCap = 8 "},
		filepath.Join(filepath.Dir(flags["-overlay"]), "mheap.go"):    {"gcBitsChunkBytes = uintptr(8 << 10)"},
		flags["-modfile"]: {"replace google.golang.org/protobuf => "},
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines {
			if !strings.Contains(string(text), line) {
				t.Errorf("%s has no %q", filepath.Base(file), line)
			}
		}
	}
}
