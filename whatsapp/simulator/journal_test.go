package simulator

import (
	"log/slog"
	"testing"
)

func openJournal(t *testing.T) *state {
	t.Helper()
	s, err := openState(t.Context(), t.TempDir(), slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.close() })
	return s
}

func rows(t *testing.T, s *state, table string) (count int) {
	t.Helper()
	if err := s.readDB.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM "`+table+`"`).Scan(&count); err != nil {
		t.Fatal(err)
	}
	return count
}

func kept(seq int64) *item {
	return &item{seq: seq, number: "1", class: "message", key: "k", stanza: []byte("s")}
}

// What is acknowledged before it was written never reaches the disk, what is acknowledged
// later leaves it.
func TestJournalKeepsAndDrops(t *testing.T) {
	t.Parallel()
	s := openJournal(t)
	j := s.journal
	early, late, stays := kept(1), kept(2), kept(3)
	j.keep(early)
	j.drop(early)
	j.keep(late)
	j.keep(stays)
	if err := j.write(); err != nil {
		t.Fatal(err)
	}
	if n := rows(t, s, "queue"); n != 2 {
		t.Errorf("%d stanzas on disk", n)
	}
	j.drop(late)
	if err := j.write(); err != nil {
		t.Fatal(err)
	}
	if n := rows(t, s, "queue"); n != 1 {
		t.Errorf("%d stanzas on disk", n)
	}
}

// A statement that is refused is reported, and costs nothing else that was written with it.
func TestJournalSurvivesRefusedStatement(t *testing.T) {
	t.Parallel()
	s := openJournal(t)
	j := s.journal
	j.keep(kept(1))
	err := j.write(
		op{`INSERT INTO "meta" ("name", "value") VALUES ($1, $2)`, []any{"a", []byte{1}}},
		op{`INSERT INTO "meta" ("name", "value") VALUES ($1, $2)`, []any{"a", []byte{2}}},
		op{`INSERT INTO "meta" ("name", "value") VALUES ($1, $2)`, []any{"b", []byte{3}}},
	)
	if err == nil {
		t.Error("a second row with the same key was accepted")
	}
	if meta, queue := rows(t, s, "meta"), rows(t, s, "queue"); meta != 2 || queue != 1 {
		t.Errorf("on disk: %d and %d rows", meta, queue)
	}
	if err := j.write(op{`INSERT INTO "meta" ("name", "value") VALUES ($1, $2)`, []any{"c", []byte{4}}}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
