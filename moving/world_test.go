package moving_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waAdv"
	libstore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"

	"switchboard/archive"
	"switchboard/auth"
	"switchboard/engine"
	"switchboard/instances"
	"switchboard/isolation"
	"switchboard/isolation/pgtest"
	"switchboard/messages"
	"switchboard/moving"
	"switchboard/secrets"
	"switchboard/settings"
	"switchboard/store"
	"switchboard/tables"
	"switchboard/whatsapp/serial" // also sets up the library's logger before tests race to do it
)

func TestMain(m *testing.M) {
	if os.Getenv(childTask) != "" {
		os.Exit(child())
	}
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

var random = archive.Random("a key with enough chance in it")

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// place is where an installation is.
type place struct{ uri, dir string }

func newPlace(t testing.TB, name string) place {
	t.Helper()
	dir := t.TempDir()
	if name == engine.Postgres {
		return place{pgtest.New(t).URI, dir}
	}
	return place{engine.At(dir + "/control.db").URI(), dir}
}

// open opens an installation; its parts are closed by the returned function.
func (p place) open(ctx context.Context) (moving.Installation, func(), error) {
	s, err := store.Open(ctx, p.uri)
	if err != nil {
		return moving.Installation{}, nil, err
	}
	box, err := secrets.New("secret", "database passwords")
	if err != nil {
		return moving.Installation{}, nil, err
	}
	sealing, err := secrets.New("secret of "+p.dir, settings.Purpose)
	if err != nil {
		return moving.Installation{}, nil, err
	}
	keeper, err := settings.NewKeeper(ctx, s, sealing)
	if err != nil {
		return moving.Installation{}, nil, err
	}
	databases, err := isolation.Open(ctx, p.uri, p.dir, isolation.WithVault(s, box))
	if err != nil {
		return moving.Installation{}, nil, err
	}
	in := moving.Installation{Store: s, Databases: databases, Settings: keeper, Dir: p.dir, PortStart: 3001, PortFree: func(int) bool { return true }}
	return in, func() { _, _ = databases.Close(), s.Close() }, nil
}

func installation(t testing.TB, name string) moving.Installation {
	t.Helper()
	in, closing, err := newPlace(t, name).open(t.Context())
	ok(t, err)
	t.Cleanup(closing)
	return in
}

// people adds an owner and an administrator with a token and a session.
func addPeople(t testing.TB, in moving.Installation) (owner, other auth.User) {
	t.Helper()
	ctx := t.Context()
	owner = auth.User{ID: 1 << 60, Email: "owner@example.com", Name: "Öwner 👩‍🚀", Role: auth.Owner, CreatedAt: time.UnixMilli(1)}
	other = auth.User{ID: 7, Email: "other@example.com", Name: "Other", Role: auth.Operator, CreatedAt: time.UnixMilli(2)}
	for _, u := range []auth.User{owner, other} {
		ok(t, in.Store.AddUser(ctx, u, "$argon2id$x"))
	}
	ok(t, in.Store.AddSession(ctx, "hash", auth.Session{ID: "s1", UserID: 7, CreatedAt: time.Now(), LastSeenAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)}))
	ok(t, in.Settings.Update(ctx, settings.Shared, func(s *settings.Settings) error { s.Region = "of all"; return nil }))
	ok(t, in.Store.RememberImport(ctx, "491700000009:1@s.whatsapp.net"))
	return owner, other
}

// odd are texts that are easily lost on the way. Those that PostgreSQL refuses are not among
// them: the messages of a number never hold any.
var odd = []string{
	"", " ", "plain", "Grüße 👩‍👩‍👧‍👦", "e\u0301 é", "\u202eright to left", "\ufeffmark", "'quote\" \\ % $1 ; --", "line\nbreak\r\t",
	"\u2028\u2029", "\U0010FFFF", "<html>&amp;", "\x01\x7f", "null", strings.Repeat("long ", 20_000),
}

// addNumber makes a paired number, whose store the library itself has filled.
func addNumber(t testing.TB, in moving.Installation, id instances.ID, n int, owner int64) instances.Instance {
	t.Helper()
	ctx := t.Context()
	jid := types.NewJID(fmt.Sprintf("4917000%05d", n), types.DefaultUserServer)
	jid.Device = uint16(n)
	inst := instances.Instance{
		ID: id, Name: "Número " + string(id), Phone: jid.User, Owner: owner, JID: jid.String(), PushName: "Shöp",
		Desired: instances.Running, Status: instances.Idle, Since: time.UnixMilli(5).UTC(), Port: 4000 + n,
		Database: in.Databases.Names(id), CreatedAt: time.UnixMilli(int64(n)).UTC(),
	}
	_, err := in.Store.AddInstance(ctx, inst, "")
	ok(t, err)
	set(t, in, id)
	access, err := in.Databases.Provision(ctx, id)
	ok(t, err)

	db, err := isolation.OpenMain(ctx, access)
	ok(t, err)
	all := make([]messages.Message, len(odd))
	for i, text := range odd {
		all[i] = messages.Message{
			Chat: "491710000001@s.whatsapp.net", ID: fmt.Sprintf("M%d", i), Sender: "491710000001@s.whatsapp.net", SenderName: text[:min(len(text), 3)],
			FromMe: i%2 == 0, Kind: messages.Text, Text: text, At: time.UnixMilli(1700000000000 + int64(i)), Raw: blob(i),
		}
	}
	for _, statement := range []string{
		`INSERT INTO "outbox" ("one", "seq", "device") VALUES (1, 1, 'x')`,
		`INSERT INTO "events" ("seq", "id", "name", "chat", "at", "body") VALUES (1, 'e', 'message', '', 1, '{}')`,
		`INSERT INTO "deliveries" ("event", "endpoint", "chat", "state") VALUES (1, 'wh', '', 'parked')`,
		`INSERT INTO "endpoints" ("id", "failures", "failing_since", "paused_at", "error") VALUES ('wh', 1, 1, 1, 'x')`,
		`INSERT INTO "key_uses" ("key", "at") VALUES ('k', 1)`,
	} {
		_, err := db.ExecContext(ctx, statement)
		ok(t, err)
	}
	kept := messages.New(db)
	ok(t, kept.SaveAll(ctx, all))
	fill(t, kept)
	_, err = db.ExecContext(ctx, `INSERT INTO "sends" ("id", "key", "hash", "path", "chat", "parameters", "message_id", "state", "stranger", "created_at", "changed_at")
		VALUES ('s1', NULL, 'h', '/send/message', '491710000001@s.whatsapp.net', '{"message":"später"}', 'ID9', 'waiting', TRUE, 1, 2)`)
	ok(t, err)
	_, err = db.ExecContext(ctx, `UPDATE "sends" SET "files" = '{"image":{"stored":"s1.image","size":9}}'`)
	ok(t, err)
	addFiles(t, in, id, kept)
	ok(t, db.Close())

	db, dialect, err := isolation.OpenKeys(ctx, access)
	ok(t, err)
	container := sqlstore.NewWithDB(db, dialect, nil)
	ok(t, container.Upgrade(ctx))
	pair(t, container, jid, n)
	ok(t, db.Close())
	return inst
}

// fill puts something into every other table of a number's messages.
func fill(t testing.TB, m *messages.Messages) {
	t.Helper()
	ctx, at := t.Context(), time.UnixMilli(1700000001000)
	const friend, group = "491710000001@s.whatsapp.net", "120363000000000001@g.us"
	said := func(id, target string, kind messages.Kind, text string) messages.Message {
		return messages.Message{Chat: friend, ID: id, Sender: friend, Kind: kind, Text: text, Target: target, At: at}
	}
	picture := said("picture", "", messages.Image, "caption")
	picture.Media = &messages.Media{Type: messages.ImageFile, MIME: "image/png", Size: 1 << 40, SHA256: blob(2), Key: blob(3), File: "made-here.png", State: messages.Waiting}
	poll, vote := said("poll", "", messages.Poll, "Lunch?"), said("vote", "poll", messages.Vote, "")
	poll.Question, vote.Votes = &messages.Question{Text: "Lunch?", Options: []string{"ja", "nö"}, Selectable: 1}, []string{"nö"}
	ok(t, m.SaveAll(ctx, []messages.Message{
		picture, poll, vote, said("edit", "picture", messages.Edited, "a better caption"), said("reaction", "picture", messages.Reaction, "👍"),
	}))
	ok(t, m.DropMedia(ctx, messages.File{Media: messages.Media{File: "made-here.png"}}))
	ok(t, m.Receive(ctx, messages.Receipt{Chat: friend, Person: friend, IDs: []string{"M0"}, Step: messages.ReadIt, At: at, Whole: true}))
	ok(t, m.SaveGroup(ctx, messages.GroupInfo{JID: group, Name: "Group", Members: []messages.Member{{JID: friend, LID: "1@lid", Role: "admin"}}}))
	ok(t, m.SaveCall(ctx, messages.Call{ID: "call", Chat: friend, Caller: friend, At: at}, "1@lid"))
	ok(t, m.NoteHistory(ctx, "", messages.HistoryProgress{Type: "RECENT", Chats: 1, Messages: 2, Percent: 100, At: at}))
	ok(t, m.AddHistoryPart(ctx, "part", []byte{0, 1, 0xff}))
}

// Files of a number that addFiles makes, below its folder. None of them can be compressed, but
// for the one that waits to be sent.
var (
	noise = func() []byte { b := make([]byte, 3<<20); _, _ = rand.Read(b); return b }()
	files = map[string][]byte{
		"media/1700000001-large.mp4": noise, "media/1700000002-small.jpeg": noise[:1000], "media/1700000003-empty.txt": {}, "queue/s1.image": []byte("later on."),
	}
)

// addFiles gives a number pictures and files: in its folder, in a bucket, and some that are not
// where they should be, or not what they seem.
func addFiles(t testing.TB, in moving.Installation, id instances.ID, m *messages.Messages) {
	t.Helper()
	const friend = "491710000001@s.whatsapp.net"
	add := func(file, place string, size int) {
		ok(t, m.Save(t.Context(), messages.Message{Chat: friend, ID: file, Sender: friend, Kind: messages.Image, At: time.UnixMilli(1700000003000), Media: &messages.Media{
			Type: messages.ImageFile, MIME: "image/png", Size: int64(size), File: file, Place: place, State: messages.Stored, StoredAt: time.UnixMilli(9),
		}}))
	}
	dir := in.Dir + "/instances/" + string(id)
	for _, folder := range []string{"media", "queue"} {
		ok(t, os.MkdirAll(filepath.Join(dir, folder), 0o700))
	}
	for path, content := range files {
		ok(t, os.WriteFile(filepath.Join(dir, path), content, 0o600))
		if file, is := strings.CutPrefix(path, "media/"); is {
			add(file, "", len(content))
		}
	}
	add("1700000004-elsewhere.png", "https://s3.example.com/media/shop", 7)
}

// filesOf returns what there is in a number's folders of files.
func filesOf(t testing.TB, in moving.Installation, id instances.ID) (all []string) {
	t.Helper()
	for _, folder := range []string{"media", "queue"} {
		entries, err := os.ReadDir(filepath.Join(in.Dir, "instances", string(id), folder))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		for _, entry := range entries {
			path := filepath.Join(in.Dir, "instances", string(id), folder, entry.Name())
			info, err := os.Lstat(path)
			ok(t, err)
			content, _ := os.ReadFile(path)
			all = append(all, fmt.Sprintf("%s/%s %s %x", folder, entry.Name(), info.Mode(), sha256.Sum256(content)))
		}
	}
	return all
}

// blob returns nil, nothing, every byte, and more.
func blob(n int) []byte {
	switch n {
	case 0:
		return nil
	case 1:
		return []byte{}
	}
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	return bytes.Repeat(all, n)
}

// pair puts something into every table.
func pair(t testing.TB, container *sqlstore.Container, jid types.JID, n int) {
	t.Helper()
	ctx := t.Context()
	bytesOf := func(length int) []byte { return bytes.Repeat([]byte{byte(n), 0, 0xFF}, length)[:length] }
	d := container.NewDevice()
	d.ID, d.LID, d.PushName = &jid, types.NewJID(fmt.Sprintf("9000%d", n), types.HiddenUserServer), "Shöp 🛒"
	d.Account = &waAdv.ADVSignedDeviceIdentity{
		Details: bytesOf(20), AccountSignatureKey: bytesOf(32), AccountSignature: bytesOf(64), DeviceSignature: bytesOf(64),
	}
	ok(t, container.PutDevice(ctx, d))
	_, err := d.PreKeys.GetOrGenPreKeys(ctx, 40)
	ok(t, err)
	ok(t, d.PreKeys.MarkPreKeysAsUploaded(ctx, 12))
	friend := types.NewJID("491710000001", types.DefaultUserServer)
	for device := range 5 {
		address := fmt.Sprintf("%s:%d", friend.User, device)
		ok(t, d.Sessions.PutSession(ctx, address, bytesOf(200)))
		ok(t, d.Identities.PutIdentity(ctx, address, [32]byte(bytesOf(32))))
		ok(t, d.SenderKeys.PutSenderKey(ctx, "12036300000001@g.us", address, bytesOf(90)))
	}
	ok(t, d.LIDs.PutLIDMapping(ctx, types.NewJID("70001", types.HiddenUserServer), friend))
	ok(t, d.AppStateKeys.PutAppStateSyncKey(ctx, bytesOf(6), libstore.AppStateSyncKey{Data: bytesOf(32), Fingerprint: bytesOf(8), Timestamp: 1<<62 + 1}))
	ok(t, d.AppState.PutAppStateVersion(ctx, "regular", 3, [128]byte(bytesOf(128))))
	ok(t, d.AppState.PutAppStateMutationMACs(ctx, "regular", 3, []libstore.AppStateMutationMAC{{IndexMAC: bytesOf(32), ValueMAC: bytesOf(32)}}))
	ok(t, d.Contacts.PutContactName(ctx, friend, "Füll 👩‍🚀 Name", "Füll"))
	ok(t, d.ChatSettings.PutPinned(ctx, friend, true))
	ok(t, d.MsgSecrets.PutMessageSecret(ctx, friend, friend, "ID1", bytesOf(32)))
	ok(t, d.PrivacyTokens.PutPrivacyTokens(ctx, libstore.PrivacyToken{User: friend, Token: bytesOf(16), Timestamp: time.Unix(1700000000, 0)}))
	ok(t, d.NCTSalt.PutNCTSalt(ctx, bytesOf(16)))
	ok(t, d.EventBuffer.PutBufferedEvent(ctx, [32]byte(bytesOf(32)), bytesOf(40), time.Unix(1700000000, 0)))
	ok(t, d.EventBuffer.AddOutgoingEvent(ctx, friend, "ID2", "fb", bytesOf(40)))
}

// dump returns all rows of a number's databases, each as a line, sorted by the engine that
// has them and then by text.
func dump(t testing.TB, in moving.Installation, id instances.ID) map[string][]string {
	t.Helper()
	access, err := in.Databases.Access(t.Context(), id)
	ok(t, err)
	all := map[string][]string{}
	for _, dsn := range []string{access.Main, access.Keys} {
		db, err := isolation.OpenReadOnly(t.Context(), access.Engine, dsn)
		ok(t, err)
		s, err := tables.Begin(t.Context(), db, access.Engine, tables.Except("switchboard_migrations", "lease"))
		ok(t, err)
		for _, table := range s.Tables() {
			all[table.Name] = []string{}
		}
		ok(t, s.Each(t.Context(), func(table tables.Table, row []any) error {
			named := make([]string, len(row))
			for i, c := range table.Columns {
				if session, is := row[i].([]byte); is && c.Name == "session" {
					row[i] = bytes.TrimLeft(session, serial.Rewound) // see rewound
				}
				named[i] = fmt.Sprintf("%s=%T %q", c.Name, row[i], fmt.Sprint(row[i]))
			}
			all[table.Name] = append(all[table.Name], sortedLine(named))
			return nil
		}))
		s.Close()
		ok(t, db.Close())
	}
	all["files in the folder"] = filesOf(t, in, id)
	for name := range all {
		sortLines(all[name])
	}
	return all
}

// rewound demands that no session of a number is written in as it is.
func rewound(t testing.TB, in moving.Installation, id instances.ID) {
	t.Helper()
	access, err := in.Databases.Access(t.Context(), id)
	ok(t, err)
	db, err := isolation.OpenReadOnly(t.Context(), access.Engine, access.Keys)
	ok(t, err)
	defer func() { _ = db.Close() }()
	var all, marked int
	ok(t, db.QueryRowContext(t.Context(), `SELECT count(*), count(CASE WHEN substr("session", 1, 1) = $1 THEN 1 END) FROM "whatsmeow_sessions"`,
		[]byte(serial.Rewound)).Scan(&all, &marked))
	if all == 0 || marked != all {
		t.Errorf("%d of %d sessions are those of a backup", marked, all)
	}
}

func quiet(moving.Step) {}

// set gives a number settings of its own.
func set(t testing.TB, in moving.Installation, id instances.ID) {
	t.Helper()
	ok(t, in.Settings.Update(t.Context(), id, func(s *settings.Settings) error { s.Region, s.Limits.Memory = "of "+string(id), 64<<20; return nil }))
}
