package moving_test

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/store/sqlstore"

	"switchboard/archive"
	"switchboard/engine"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/isolation"
	"switchboard/moving"
	"switchboard/tables"
)

// age takes away from a number's keys everything that the library's schema got after its
// second version, and writes JIDs as they were written then.
func age(t testing.TB, in moving.Installation, id instances.ID) {
	t.Helper()
	access, err := in.Databases.Access(t.Context(), id)
	ok(t, err)
	db, _, err := isolation.OpenKeys(t.Context(), access)
	ok(t, err)
	for _, statement := range []string{
		`DROP TABLE whatsmeow_message_secrets`, `DROP TABLE whatsmeow_privacy_tokens`, `DROP TABLE whatsmeow_lid_map`,
		`DROP TABLE whatsmeow_event_buffer`, `DROP TABLE whatsmeow_retry_buffer`, `DROP TABLE whatsmeow_nct_salt`,
		`ALTER TABLE whatsmeow_device DROP COLUMN facebook_uuid`, `ALTER TABLE whatsmeow_device DROP COLUMN lid`,
		`ALTER TABLE whatsmeow_device DROP COLUMN lid_migration_ts`, `ALTER TABLE whatsmeow_device DROP COLUMN companion_meta_nonce`,
		`ALTER TABLE whatsmeow_contacts DROP COLUMN redacted_phone`,
		`UPDATE whatsmeow_device SET jid = replace(jid, ':', '.0:')`,
		`UPDATE whatsmeow_version SET version = 2, compat = 2`,
	} {
		_, err := db.ExecContext(t.Context(), statement)
		ok(t, err)
	}
	ok(t, db.Close())
}

// A number that an old program wrote is brought to the schema of this one on the way.
func TestOlderKeys(t *testing.T) {
	t.Parallel()
	for _, way := range [][2]string{{engine.SQLite, engine.Postgres}, {engine.Postgres, engine.SQLite}} {
		t.Run(strings.Join(way[:], " to "), func(t *testing.T) {
			t.Parallel()
			from := installation(t, way[0])
			id := idOf(t, "old")
			inst := addNumber(t, from, id, 4, 0)
			want := dump(t, from, id)
			age(t, from, id)
			check := func(in moving.Installation) {
				t.Helper()
				got := dump(t, in, id)
				for _, table := range []string{"whatsmeow_sessions", "whatsmeow_identity_keys", "whatsmeow_pre_keys", "whatsmeow_app_state_mutation_macs", "messages"} {
					if len(got[table]) == 0 || !slices.Equal(got[table], want[table]) {
						t.Errorf("%s has %d rows, want %d", table, len(got[table]), len(want[table]))
					}
				}
				if got := got["whatsmeow_message_secrets"]; len(got) > 0 {
					t.Errorf("secrets from nowhere: %v", got)
				}
				access, err := in.Databases.Access(t.Context(), id)
				ok(t, err)
				db, dialect, err := isolation.OpenKeys(t.Context(), access)
				ok(t, err)
				defer func() { _ = db.Close() }()
				container := sqlstore.NewWithDB(db, dialect, nil)
				ok(t, container.Upgrade(t.Context()))
				all, err := container.GetAllDevices(t.Context())
				if err != nil || len(all) != 1 || all[0].ID.String() != inst.JID {
					t.Errorf("devices %v, %v", all, err)
				}
				if left, err := in.Databases.Unknown(t.Context(), []instances.ID{id}); err != nil || len(left) > 0 && way[1] == engine.SQLite {
					t.Errorf("left %v, %v", left, err)
				}
			}
			content := backup(t, from)
			to := installation(t, way[1])
			ok(t, moving.Migrate(t.Context(), from, to, quiet))
			ok(t, moving.Migrate(t.Context(), from, to, quiet))
			check(to)
			_, err := to.Restore(t.Context(), opener(content), moving.RestoreOptions{Only: id, Replace: true}, quiet)
			ok(t, err)
			check(to)
		})
	}
}

// made is a content in memory.
type made struct {
	table tables.Table
	rows  [][]any
}

func (m made) Tables() []tables.Table { return []tables.Table{m.table} }
func (m made) Each(_ context.Context, do func(tables.Table, []any) error) error {
	for _, row := range m.rows {
		if err := do(m.table, row); err != nil {
			return err
		}
	}
	return nil
}

var imports = made{
	tables.Table{Name: "imports", Columns: []tables.Column{{Name: "jid", Kind: tables.Text}, {Name: "imported_at", Kind: tables.Integer}}},
	[][]any{{"1:1@s.whatsapp.net", int64(5)}},
}

func craft(t testing.TB, part string, version int64) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := archive.NewWriter(&out, random, archive.Header{Program: "v9", CreatedAt: time.Now(), Whole: true})
	ok(t, err)
	_, err = w.Database(t.Context(), part, version, imports)
	ok(t, err)
	ok(t, w.Close())
	return out.Bytes()
}

func TestOlderAndNewerSchemas(t *testing.T) {
	t.Parallel()
	for _, name := range []string{engine.SQLite, engine.Postgres} {
		in := installation(t, name)
		for _, part := range []string{archive.Control, archive.Main, archive.Keys} {
			_, err := in.Restore(t.Context(), opener(craft(t, part, 1000)), moving.RestoreOptions{}, quiet)
			if !errors.Is(err, tables.ErrNewer) || !strings.Contains(fault.MessageOf(err), "schema 1000") {
				t.Errorf("a newer %s: %v", part, err)
			}
		}
		empty(t, in)
		_, err := in.Restore(t.Context(), opener(craft(t, archive.Control, 1)), moving.RestoreOptions{}, quiet)
		ok(t, err)
		if got, err := in.Store.Imported(t.Context()); err != nil || !reflect.DeepEqual(got, []string{"1:1@s.whatsapp.net"}) {
			t.Errorf("imports %v, %v", got, err)
		}
	}
}
