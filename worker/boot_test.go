package worker_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"go.mau.fi/whatsmeow/proto/waAdv"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"

	"switchboard/isolation"
)

// When the machine went down while a number ran, its keys may be older than what it has sent. A
// process that was only killed has lost nothing.
func TestTheMachineWentDown(t *testing.T) {
	t.Parallel()
	doc := document(t)
	opened := filepath.Join(doc.Dir, "boot")
	killed := func() {
		t.Helper()
		r := start(t, doc)
		must(t, r.cmd.Process.Kill())
		r.ended(t)
		if _, err := os.Stat(opened); err != nil {
			t.Fatal(err)
		}
	}
	session := func() []byte {
		t.Helper()
		db, _, err := isolation.OpenKeys(t.Context(), doc.Database)
		must(t, err)
		defer db.Close()
		container := sqlstore.NewWithDB(db, "sqlite3", nil)
		must(t, container.Upgrade(t.Context()))
		d, err := container.GetFirstDevice(t.Context())
		must(t, err)
		if d.ID == nil {
			jid := types.NewADJID("491701234567", 0, 1)
			d.ID, d.LID = &jid, types.NewADJID("77", 1, 1)
			d.Account = &waAdv.ADVSignedDeviceIdentity{Details: []byte("x"), AccountSignatureKey: make([]byte, 32), AccountSignature: make([]byte, 64), DeviceSignature: make([]byte, 64)}
			must(t, d.Save(t.Context()))
			must(t, d.Sessions.PutSession(t.Context(), "491700000001:0", []byte("{}")))
		}
		text, err := d.Sessions.GetSession(t.Context(), "491700000001:0")
		must(t, err)
		return text
	}
	wentDown := func() {
		t.Helper()
		must(t, os.WriteFile(opened, []byte("an earlier start of the machine"), 0o600))
	}

	killed()
	wentDown() // and there are no keys yet
	killed()
	if got := session(); !bytes.Equal(got, []byte("{}")) {
		t.Errorf("the session is %q", got)
	}
	killed()
	if got := session(); !bytes.Equal(got, []byte("{}")) {
		t.Errorf("after a process that was killed the session is %q", got)
	}
	wentDown()
	killed()
	for range 2 {
		if got := session(); !bytes.Equal(got, []byte(" {}")) {
			t.Errorf("after the machine went down the session is %q", got)
		}
		wentDown()
		killed()
	}
	r := start(t, doc)
	r.stop()
	r.ended(t)
	if _, err := os.Stat(opened); !os.IsNotExist(err) {
		t.Errorf("a number that has ended has its files open: %v", err)
	}
}
