package engine

import (
	"strings"
	"testing"
)

// A database file's URI names a file, or is refused.
func FuzzParseFile(f *testing.F) {
	for _, seed := range []string{"file:storages/whatsapp.db?_foreign_keys=on", "file:/x%20y.db", "file::memory:", "file:x?mode=ro&mode=memory", "file://host/x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		file, err := ParseFile(uri)
		if err == nil && (file.Path == "" || file.Path == ":memory:" || strings.ContainsRune(file.Path, 0)) {
			t.Errorf("%q is the file %q", uri, file.Path)
		}
	})
}
