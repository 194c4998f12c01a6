package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"switchboard/instances"
	"switchboard/isolation/pgtest"
)

func TestMigrateDatabase(t *testing.T) {
	t.Parallel()
	dir, id := withNumber(t)
	server := pgtest.New(t)
	write(t, dir, "uri", server.URI)
	there := []string{"migrate-database", "--to-file", "uri"}
	expect(t, runIn(t, dir, nil, "", "migrate-database", "--to", server.URI), 2, "holds a password")

	panel := startServe(t, dir)
	expect(t, runIn(t, dir, nil, "", there...), 2, "Another Switchboard works")
	panel.stop(t)

	before := filesOf(t, dir, id)
	expect(t, runIn(t, dir, nil, "", there...), 0, "1 of 1: "+string(id), "moved and compared", "hidden@")
	expect(t, runIn(t, dir, nil, "", there...), 0, "moved and compared")
	if filesOf(t, dir, id) != before {
		t.Error("the source was changed")
	}
	expect(t, runIn(t, dir, []string{"DB_URI=" + server.URI}, "", "user", "list"), 0, "owner@example.com")

	// And back, into another folder.
	expect(t, runIn(t, dir, nil, "", "migrate-database", "--from-file", "uri", "--to", "file:back/storages/whatsapp.db", "--to-storage", "back/storages"), 0, "moved and compared", "STORAGE_DIR to back/storages")
	if got := textsOf(t, filepath.Join(dir, "back"), id); got != "Grüße" {
		t.Errorf("the message is %q", got)
	}
	expect(t, runIn(t, filepath.Join(dir, "back"), nil, "", "user", "list"), 0, "owner@example.com")
}

// filesOf returns what is in the two database files of a number.
func filesOf(t *testing.T, dir string, id instances.ID) string {
	t.Helper()
	var all string
	for _, name := range []string{"whatsapp_", "keys_"} {
		content, err := os.ReadFile(filepath.Join(dir, "storages", "instances", string(id), name+string(id)))
		must(t, err)
		all += string(content)
	}
	return all
}

func TestMigrateDatabaseThatIsUsedWrongly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for want, args := range map[string][]string{
		"needs --to":         {},
		"of one kind":        {"--to", "file:x.db"},
		"is no address":      {"--to", "mysql://x"},
		"are both set":       {"--to", "file:x.db", "--to-file", "y"},
		"cannot be read":     {"--to-file", "nowhere"},
		"does not exist":     {"--to", "postgres://127.0.0.1:1/x"},
		"takes no argument":  {"file:x.db"},
		"The PostgreSQL ser": {"--from", "postgres://127.0.0.1:1/x", "--to", "file:x.db"},
	} {
		if got := runIn(t, dir, nil, "", append([]string{"migrate-database"}, args...)...); got.code != 2 || !strings.Contains(got.stderr, want) {
			t.Errorf("%s: %+v", want, got)
		}
	}
	if got := entries(t, dir); len(got) > 0 {
		t.Errorf("there is something: %v", got)
	}
}
