package legacy_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waAdv"
	libstore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"

	_ "switchboard/whatsapp/serial" // sets up the library's logger before tests race to do it
)

// makeStore makes a store with three paired numbers, as the library itself does it, and
// with something in every table.
func makeStore(t *testing.T, path string) []types.JID {
	t.Helper()
	ctx := t.Context()
	db, err := sql.Open("sqlite3", "file:"+path+"?_foreign_keys=on")
	if err != nil {
		t.Fatal(err)
	}
	container := sqlstore.NewWithDB(db, "sqlite3", nil)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(container.Upgrade(ctx))
	var jids []types.JID
	for n := 1; n <= 3; n++ {
		jid := types.NewJID(fmt.Sprintf("49170000000%d", n), types.DefaultUserServer)
		jid.Device = uint16(10 * n)
		d := container.NewDevice()
		d.ID, d.LID, d.PushName = &jid, types.NewJID(fmt.Sprintf("9000%d", n), types.HiddenUserServer), fmt.Sprintf("Shop %d", n)
		d.Account = &waAdv.ADVSignedDeviceIdentity{
			Details: random(n, 20), AccountSignatureKey: random(n, 32), AccountSignature: random(n, 64), DeviceSignature: random(n, 64),
		}
		must(container.PutDevice(ctx, d))
		_, err := d.PreKeys.GetOrGenPreKeys(ctx, 30)
		must(err)
		must(d.PreKeys.MarkPreKeysAsUploaded(ctx, 12))
		friend := types.NewJID(fmt.Sprintf("49171000000%d", n), types.DefaultUserServer)
		hidden := types.NewJID(fmt.Sprintf("7000%d", n), types.HiddenUserServer)
		group := types.NewJID("12036300000001", types.GroupServer)
		for device := range 5 {
			address := fmt.Sprintf("%s:%d", friend.User, device)
			must(d.Sessions.PutSession(ctx, address, random(n, 200)))
			must(d.Identities.PutIdentity(ctx, address, [32]byte(random(n, 32))))
			must(d.SenderKeys.PutSenderKey(ctx, group.String(), address, random(n, 90)))
		}
		must(d.LIDs.PutLIDMapping(ctx, hidden, friend))
		must(d.AppStateKeys.PutAppStateSyncKey(ctx, random(n, 6), libstore.AppStateSyncKey{Data: random(n, 32), Fingerprint: random(n, 8), Timestamp: 1}))
		must(d.AppState.PutAppStateVersion(ctx, "regular", 3, [128]byte(random(n, 128))))
		must(d.AppState.PutAppStateMutationMACs(ctx, "regular", 3, []libstore.AppStateMutationMAC{{IndexMAC: random(n, 32), ValueMAC: random(n, 32)}}))
		must(d.Contacts.PutContactName(ctx, friend, "Füll Name", "Füll"))
		must(d.ChatSettings.PutPinned(ctx, friend, true))
		must(d.MsgSecrets.PutMessageSecret(ctx, friend, friend, "ID1", random(n, 32)))
		must(d.PrivacyTokens.PutPrivacyTokens(ctx, libstore.PrivacyToken{User: friend, Token: random(n, 16), Timestamp: time.Unix(1700000000, 0)}))
		must(d.NCTSalt.PutNCTSalt(ctx, random(n, 16)))
		must(d.EventBuffer.PutBufferedEvent(ctx, [32]byte(random(n, 32)), random(n, 40), time.Unix(1700000000, 0)))
		must(d.EventBuffer.AddOutgoingEvent(ctx, friend, "ID2", "fb", random(n, 40)))
		jids = append(jids, jid)
	}
	for _, table := range tables(t, db) {
		if len(dump(t, db, table, "")) == 0 {
			t.Errorf("the store has nothing in %s", table)
		}
	}
	must(db.Close())
	return jids
}

// random is the same for the same device, and differs between two.
func random(n, length int) []byte {
	return bytes.Repeat([]byte{byte(n), 0xA0 | byte(n)}, length)[:length]
}

// toVersion2 takes away from a store everything that the library's schema got after its
// second version, and writes JIDs as they were written then.
func toVersion2(t *testing.T, path string) {
	t.Helper()
	execute(t, path,
		`DROP TABLE whatsmeow_message_secrets`, `DROP TABLE whatsmeow_privacy_tokens`, `DROP TABLE whatsmeow_lid_map`,
		`DROP TABLE whatsmeow_event_buffer`, `DROP TABLE whatsmeow_retry_buffer`, `DROP TABLE whatsmeow_nct_salt`,
		`ALTER TABLE whatsmeow_device DROP COLUMN facebook_uuid`, `ALTER TABLE whatsmeow_device DROP COLUMN lid`,
		`ALTER TABLE whatsmeow_device DROP COLUMN lid_migration_ts`, `ALTER TABLE whatsmeow_device DROP COLUMN companion_meta_nonce`,
		`ALTER TABLE whatsmeow_contacts DROP COLUMN redacted_phone`,
		`UPDATE whatsmeow_device SET jid = replace(jid, ':', '.0:')`,
		`DROP TABLE whatsmeow_version`, `CREATE TABLE whatsmeow_version (version INTEGER)`, `INSERT INTO whatsmeow_version VALUES (2)`)
}

// reorder makes the tables of a store anew, in an order in which references come before
// what they refer to.
func reorder(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1) // the setting below belongs to one connection
	for _, table := range tables(t, db) {
		if table == "whatsmeow_contacts" { // stays, and so comes first
			continue
		}
		made := column(t, db, fmt.Sprintf(`SELECT sql FROM sqlite_master WHERE type = 'table' AND name = '%s'`, table))
		for _, statement := range []string{
			`PRAGMA foreign_keys = OFF`, `PRAGMA legacy_alter_table = ON`,
			fmt.Sprintf(`ALTER TABLE %s RENAME TO moved`, table), made[0],
			fmt.Sprintf(`INSERT INTO %s SELECT * FROM moved`, table), `DROP TABLE moved`,
		} {
			if _, err := db.ExecContext(t.Context(), statement); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func tables(t *testing.T, db *sql.DB) []string {
	t.Helper()
	return column(t, db, `SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'whatsmeow%' ORDER BY name`)
}

func columns(t *testing.T, db *sql.DB, table string) []string {
	t.Helper()
	return column(t, db, fmt.Sprintf(`SELECT name FROM pragma_table_info('%s') ORDER BY name`, table))
}

func column(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var all []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// dump returns the rows of a table as text, those of one device if the table knows devices
// and jid is not "".
func dump(t *testing.T, db *sql.DB, table, jid string, only ...string) []string {
	t.Helper()
	names := columns(t, db, table)
	if len(only) > 0 {
		names = only
	}
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = "quote(" + name + ")"
	}
	query := fmt.Sprintf(`SELECT %s FROM %s`, strings.Join(quoted, ` || ',' || `), table)
	if owner := ownerOf(columns(t, db, table)); owner != "" && jid != "" {
		query += fmt.Sprintf(` WHERE replace(%s, '.0', '') = '%s'`, owner, jid)
	}
	rows := column(t, db, query+` ORDER BY 1`)
	for i := range rows {
		rows[i] = strings.ReplaceAll(rows[i], ".0:", ":")
	}
	return rows
}

func ownerOf(columns []string) string {
	for _, name := range []string{"our_jid", "jid"} {
		if slices.Contains(columns, name) {
			return name
		}
	}
	return ""
}

// compare checks that the copy holds every row of one device that the store holds, and no
// row more; columns that only came with later versions of the library aside.
func compare(t *testing.T, path string, copied *sql.DB, jid string) {
	t.Helper()
	source, err := sql.Open("sqlite3", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = source.Close() }()
	for _, table := range tables(t, copied) {
		if table == "whatsmeow_version" {
			continue
		}
		var want []string
		if known := columns(t, source, table); len(known) > 0 {
			want = dump(t, source, table, jid)
			if got := dump(t, copied, table, "", known...); !slices.Equal(got, want) {
				t.Errorf("%s: got %d rows, want %d\n%.300v\n%.300v", table, len(got), len(want), got, want)
			}
		} else if got := dump(t, copied, table, ""); len(got) > 0 {
			t.Errorf("%s has %d rows from nowhere", table, len(got))
		}
	}
}
