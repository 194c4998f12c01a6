package legacy_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/store/sqlstore"

	"switchboard/engine"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/isolation"
	"switchboard/isolation/pgtest"
	"switchboard/secrets"
	"switchboard/store"
	tablespkg "switchboard/tables"
	"switchboard/whatsapp/keystore"
	"switchboard/whatsapp/legacy"
)

func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

// A number goes from any engine to any engine; the store of the other program may be the
// control database itself.
func TestBetweenEngines(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		from, to string
		old      bool
	}{
		{"sqlite to postgres", engine.SQLite, engine.Postgres, false},
		{"old sqlite to postgres", engine.SQLite, engine.Postgres, true},
		{"postgres to postgres", engine.Postgres, engine.Postgres, false},
		{"postgres to sqlite", engine.Postgres, engine.SQLite, false},
		{"old postgres to sqlite", engine.Postgres, engine.SQLite, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "source.db")
			jids := makeStore(t, path)
			if c.old {
				toVersion2(t, path)
			}
			uri := engine.At(path).URI()
			if c.from == engine.Postgres {
				uri = pgtest.New(t).URI
				copyInto(t, path, uri)
			}
			control := engine.At(filepath.Join(dir, "control.db")).URI()
			switch {
			case c.to == engine.Postgres && c.from == engine.Postgres:
				control = uri
			case c.to == engine.Postgres:
				control = pgtest.New(t).URI
			}
			s, err := store.Open(t.Context(), control)
			must(t, err)
			defer func() { _ = s.Close() }()
			box, err := secrets.New("secret", "test")
			must(t, err)
			d, err := isolation.Open(t.Context(), control, dir, isolation.WithVault(s, box))
			must(t, err)
			defer func() { _ = d.Close() }()
			i, err := legacy.Open(uri, dir, s)
			must(t, err)
			found, err := i.Found(t.Context())
			must(t, err)
			if len(found) != 3 || found[1].JID != jids[1].String() || found[1].PushName != "Shop 2" || strings.Contains(found[1].Source, "test:") {
				t.Fatalf("found %+v", found)
			}
			number := instances.ID("n_" + strings.ReplaceAll(filepath.Base(filepath.Dir(dir)), "/", "_"))
			number = instances.ID(strings.ToLower(string(number))[:min(len(number), 40)])
			access, err := d.Provision(t.Context(), number)
			must(t, err)
			for range 2 {
				must(t, i.Copy(t.Context(), found[1], access))
			}
			if err := i.Copy(t.Context(), found[0], access); fault.KindOf(err) != fault.Conflict {
				t.Errorf("another number: %v", err)
			}
			db, container := keys(t, access)
			device, err := container.GetFirstDevice(t.Context())
			must(t, err)
			if device.ID == nil || *device.ID != jids[1] {
				t.Errorf("the copy holds %v", device.ID)
			}
			must(t, db.Close())

			// What came over is compared in the engine that the test knows best.
			again := filepath.Join(dir, "again.db")
			copyBack(t, access, again)
			copied, err := sql.Open("sqlite3", "file:"+again)
			must(t, err)
			defer func() { _ = copied.Close() }()
			compare(t, path, copied, jids[1].String())
			if left, err := filepath.Glob(filepath.Join(dir, tablespkg.ScratchPattern)); err != nil || len(left) > 0 {
				t.Errorf("left %v, %v", left, err)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// copyInto makes the PostgreSQL store that a library of the same age would have made.
func copyInto(t *testing.T, path, uri string) {
	t.Helper()
	from, err := engine.At(path).OpenReadOnly(t.Context())
	must(t, err)
	defer func() { _ = from.Close() }()
	to, err := engine.OpenPostgres(t.Context(), uri, engine.Pool{Open: 1})
	must(t, err)
	defer func() { _ = to.Close() }()
	must(t, sqlstore.NewWithDB(to, "postgres", nil).Upgrade(t.Context()))
	s, version, err := keystore.Schema.Snapshot(t.Context(), from, engine.SQLite)
	must(t, err)
	defer s.Close()
	if version < 15 {
		for _, statement := range []string{
			`DROP TABLE whatsmeow_message_secrets, whatsmeow_privacy_tokens, whatsmeow_lid_map, whatsmeow_event_buffer, whatsmeow_retry_buffer, whatsmeow_nct_salt`,
			`ALTER TABLE whatsmeow_device DROP COLUMN facebook_uuid, DROP COLUMN lid, DROP COLUMN lid_migration_ts, DROP COLUMN companion_meta_nonce`,
			`ALTER TABLE whatsmeow_contacts DROP COLUMN redacted_phone`,
			`ALTER TABLE whatsmeow_version DROP COLUMN compat`,
			`UPDATE whatsmeow_version SET version = 2`,
		} {
			_, err := to.ExecContext(t.Context(), statement)
			must(t, err)
		}
	}
	_, err = tablespkg.Copy(t.Context(), s, to, engine.Postgres, false)
	must(t, err)
}

// copyBack makes an SQLite file of a keys database.
func copyBack(t *testing.T, access instances.Access, path string) {
	t.Helper()
	from, err := isolation.OpenReadOnly(t.Context(), access.Engine, access.Keys)
	must(t, err)
	defer func() { _ = from.Close() }()
	s, version, err := keystore.Schema.Snapshot(t.Context(), from, access.Engine)
	must(t, err)
	defer s.Close()
	file := engine.At(path)
	must(t, file.Create())
	to, err := file.Open(t.Context())
	must(t, err)
	must(t, keystore.Schema.Fill(t.Context(), s, version, tablespkg.Target{DB: to, Engine: engine.SQLite, Scratch: filepath.Dir(path)}))
	must(t, to.Close())
}
