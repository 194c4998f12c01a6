package migrations

import (
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"switchboard/engine"
	"switchboard/isolation/pgtest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

// upTo applies a set's migrations up to a number.
func upTo(t *testing.T, db *sql.DB, name, set, last string) {
	t.Helper()
	sub, err := fs.Sub(files, set)
	if err != nil {
		t.Fatal(err)
	}
	some := fstest.MapFS{}
	entries, err := fs.ReadDir(sub, ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name()[:4] <= last {
			data, err := fs.ReadFile(sub, e.Name())
			if err != nil {
				t.Fatal(err)
			}
			some[e.Name()] = &fstest.MapFile{Data: data}
		}
	}
	if err := up(t.Context(), db, name, twins{some, name}); err != nil {
		t.Fatal(err)
	}
}

func lines(t *testing.T, db *sql.DB, query string) (all []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		all = append(all, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// Messages of before the third migration are carried over, and what they say about others is
// found where it belongs.
func TestConversationsCarryOver(t *testing.T) {
	t.Parallel()
	for _, name := range []string{engine.SQLite, engine.Postgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := newDB(t)
			if name == engine.Postgres {
				var err error
				if db, err = engine.OpenPostgres(t.Context(), pgtest.New(t).URI, engine.Pool{Open: 2, Idle: time.Second, Wait: time.Minute}); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = db.Close() })
			}
			upTo(t, db, name, Instance, "0002")
			seq := int64(1_700_000_000_000_000)
			add := func(chat, id, sender, lid, kind, text, target string, at int64) {
				t.Helper()
				seq++
				_, err := db.Exec(`INSERT INTO "messages" ("chat", "id", "sender", "sender_lid", "from_me", "kind", "text", "target", "at", "seq", "status", "raw")
					VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, '', $11)`, chat, id, sender, lid, false, kind, text, target, at, seq, []byte(id))
				if err != nil {
					t.Fatal(err)
				}
			}
			add("c", "A", "ann", "1@lid", "text", "first", "", 10)
			add("c", "B", "ben", "", "text", "hello world", "", 20)
			add("c", "E1", "ann", "1@lid", "edited", "second", "A", 30)
			add("c", "E2", "ann", "1@lid", "edited", "third", "A", 40)
			add("c", "E3", "ben", "", "edited", "forged", "A", 50)
			add("c", "E4", "ann", "", "edited", "of nothing", "gone", 60)
			add("c", "L1", "ann", "", "reaction", "👍", "B", 70)
			add("c", "L2", "ann", "", "reaction", "❤️", "B", 80)
			add("c", "R", "ben", "", "revoked", "", "B", 90)
			seq-- // two with the same number
			add("d", "A", "ann", "", "text", "same id elsewhere", "", 5)
			if _, err := db.Exec(`INSERT INTO "chats" ("jid", "lid", "name", "last_at") VALUES ('c', '', 'Chat', 90), ('p', '2@lid', '', 1);
				`); err != nil {
				t.Fatal(err)
			}
			if err := Up(t.Context(), db, name, Instance); err != nil {
				t.Fatal(err)
			}
			for query, want := range map[string][]string{
				`SELECT "chat" || ' ' || "id" || ' ' || "text" FROM "messages" WHERE NOT "folded" ORDER BY "at"`: {
					"d A same id elsewhere", "c A third", "c B hello world", "c E3 forged", "c E4 of nothing"},
				`SELECT "id" FROM "messages" WHERE "folded" ORDER BY "at"`:                                      {"E1", "E2", "L1", "L2", "R"},
				`SELECT "edit" || ' ' || "text" || ' ' || "at" FROM "edits" ORDER BY "at"`:                      {"E1 first 10", "E2 second 30"},
				`SELECT "id" || ' ' || "person" || ' ' || "emoji" FROM "reactions"`:                             {"B ann ❤️"},
				`SELECT "id" || ' ' || "revoked_at" FROM "messages" WHERE "revoked_at" <> 0`:                    {"B 90"},
				`SELECT "id" || ' ' || "edited_at" FROM "messages" WHERE "edited_at" <> 0`:                      {"A 40"},
				`SELECT "jid" || ' ' || "lid" FROM "contacts" ORDER BY "jid"`:                                   {"ann 1@lid", "p 2@lid"},
				`SELECT "jid" || ' ' || "name" || ' ' || "created_at" FROM "chats" ORDER BY "jid"`:              {"c Chat 90", "p  1"},
				`SELECT CAST(count(DISTINCT "seq") AS TEXT) || ' ' || CAST(max("seq") AS TEXT) FROM "messages"`: {"10 10"},
				`SELECT "id" FROM "messages" WHERE "raw" IS NULL`:                                               nil,
			} {
				if got := lines(t, db, query); !slices.Equal(got, want) {
					t.Errorf("%s\ngot %q\nwant %q", query, got, want)
				}
			}
			find := map[string]string{
				engine.SQLite:   `SELECT m."id" FROM "messages" m JOIN "words" w ON w."docid" = m."seq" WHERE w."words" MATCH '%s'`,
				engine.Postgres: `SELECT "id" FROM "messages" WHERE to_tsvector('simple', "text") @@ to_tsquery('simple', '%s')`,
			}[name]
			for word, want := range map[string][]string{"third": {"A", "E2"}, "world": {"B"}, "first": nil} {
				got := lines(t, db, fmt.Sprintf(find, word))
				if slices.Sort(got); !slices.Equal(got, want) {
					t.Errorf("%s finds %q, want %q", word, got, want)
				}
			}
		})
	}
}
