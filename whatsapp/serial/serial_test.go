package serial_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	_ "github.com/mattn/go-sqlite3"
	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/libsignal/keys/identity"
	"go.mau.fi/libsignal/keys/prekey"
	"go.mau.fi/libsignal/protocol"
	"go.mau.fi/libsignal/session"
	"go.mau.fi/libsignal/util/optional"
	"go.mau.fi/whatsmeow/proto/waAdv"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"

	"switchboard/whatsapp/serial"
)

// device is one end of a conversation, on whatsmeow's own store.
type device struct {
	*store.Device
	guard *serial.Guard
}

func newDevice(t *testing.T, number string) *device {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys.db")
	db, err := sql.Open("sqlite3", "file:"+path+"?_foreign_keys=on&_journal_mode=WAL&_busy_timeout=10000&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	keys := sqlstore.NewWithDB(db, "sqlite3", nil)
	if err := keys.Upgrade(t.Context()); err != nil {
		t.Fatal(err)
	}
	d := keys.NewDevice()
	d.Container = loose{DeviceContainer: d.Container}
	guard := serial.Wrap(d) // as in the product: before the pairing, which gives d its stores
	jid := types.NewJID(number, types.DefaultUserServer)
	d.ID = &jid
	d.Account = &waAdv.ADVSignedDeviceIdentity{
		Details: []byte{1}, AccountSignature: make([]byte, 64), AccountSignatureKey: make([]byte, 32), DeviceSignature: make([]byte, 64),
	}
	if err := d.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &device{Device: d, guard: guard}
}

// loose is a container whose devices decrypt without a transaction. On SQLite the write lock
// hides half of the lost steps; PostgreSQL's transactions and those of whatsmeow without an
// event buffer hide none.
type loose struct{ store.DeviceContainer }

func (l loose) PutDevice(ctx context.Context, d *store.Device) error {
	err := l.DeviceContainer.PutDevice(ctx, d)
	d.EventBuffer = looseBuffer{d.EventBuffer}
	return err
}

type looseBuffer struct{ store.EventBuffer }

func (looseBuffer) DoDecryptionTxn(ctx context.Context, decrypt func(context.Context) error) error {
	return decrypt(ctx)
}

func (d *device) address() *protocol.SignalAddress { return d.ID.SignalAddress() }

func (d *device) bundle(t *testing.T) *prekey.Bundle {
	t.Helper()
	one, err := d.PreKeys.GenOnePreKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return prekey.NewBundle(d.RegistrationID, 0, optional.NewOptionalUint32(one.KeyID), d.SignedPreKey.KeyID,
		ecc.NewDjbECPublicKey(*one.Pub), ecc.NewDjbECPublicKey(*d.SignedPreKey.Pub), *d.SignedPreKey.Signature,
		identity.NewKey(ecc.NewDjbECPublicKey(*d.IdentityKey.Pub)))
}

// encrypt steps the session with to as SendMessage does: read all, step, write all.
func (d *device) encrypt(ctx context.Context, to *protocol.SignalAddress, text string) (protocol.CiphertextMessage, error) {
	_, ctx, err := d.WithCachedSessions(ctx, []string{to.String()})
	if err != nil {
		return nil, err
	}
	sealed, err := session.NewCipher(session.NewBuilderFromSignal(d, to, store.SignalProtobufSerializer), to).Encrypt(ctx, []byte(text))
	if err != nil {
		return nil, err
	}
	return sealed, d.PutCachedSessions(ctx)
}

// encryptBare steps the session as the answer to a retry receipt does: one read, one write.
func (d *device) encryptBare(ctx context.Context, to *protocol.SignalAddress, text string) (protocol.CiphertextMessage, error) {
	return session.NewCipher(session.NewBuilderFromSignal(d, to, store.SignalProtobufSerializer), to).Encrypt(ctx, []byte(text))
}

// decrypt opens a message as whatsmeow's handler queue does.
func (d *device) decrypt(ctx context.Context, from *protocol.SignalAddress, sealed protocol.CiphertextMessage) (text string, err error) {
	serializer := store.SignalProtobufSerializer
	cipher := session.NewCipher(session.NewBuilderFromSignal(d, from, serializer), from)
	err = d.EventBuffer.DoDecryptionTxn(ctx, func(ctx context.Context) error {
		var plain []byte
		if sealed.Type() == protocol.PREKEY_TYPE {
			m, err := protocol.NewPreKeySignalMessageFromBytes(sealed.Serialize(), serializer.PreKeySignalMessage, serializer.SignalMessage)
			if err != nil {
				return err
			}
			if plain, err = cipher.DecryptMessage(ctx, m); err != nil {
				return err
			}
		} else {
			m, err := protocol.NewSignalMessageFromBytes(sealed.Serialize(), serializer.SignalMessage)
			if err != nil {
				return err
			}
			if plain, err = cipher.Decrypt(ctx, m); err != nil {
				return err
			}
		}
		text = string(plain)
		return nil
	})
	return text, err
}

// TestBusyConversation lets both ends write and read at once, as fast as they can, and
// demands that every single message opens.
func TestBusyConversation(t *testing.T) {
	t.Parallel()
	const messages = 300
	ways := map[string]func(*device, context.Context, *protocol.SignalAddress, string) (protocol.CiphertextMessage, error){
		"send": func(d *device, ctx context.Context, to *protocol.SignalAddress, text string) (sealed protocol.CiphertextMessage, err error) {
			err = d.guard.Send(ctx, types.EmptyJID, func(ctx context.Context) error {
				sealed, err = d.encrypt(ctx, to, text)
				return err
			})
			return sealed, err
		},
		"peer message": func(d *device, ctx context.Context, to *protocol.SignalAddress, text string) (sealed protocol.CiphertextMessage, err error) {
			err = d.guard.Send(ctx, types.EmptyJID, func(ctx context.Context) error {
				sealed, err = d.encryptBare(ctx, to, text)
				return err
			})
			return sealed, err
		},
		"retry receipt": (*device).encryptBare,
	}
	for name, encrypt := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := newDevice(t, "4915110000001"), newDevice(t, "4915110000002")
			ctx := t.Context()
			if err := session.NewBuilderFromSignal(a, b.address(), store.SignalProtobufSerializer).ProcessBundle(ctx, b.bundle(t)); err != nil {
				t.Fatal(err)
			}
			first, err := encrypt(a, ctx, b.address(), "hello")
			if err != nil {
				t.Fatal(err)
			}
			if text, err := b.decrypt(ctx, a.address(), first); err != nil || text != "hello" {
				t.Fatalf("first message: %q, %v", text, err)
			}
			var all sync.WaitGroup
			talk := func(from, to *device) {
				wire := make(chan protocol.CiphertextMessage, messages)
				all.Go(func() {
					defer close(wire)
					for i := range messages {
						sealed, err := encrypt(from, ctx, to.address(), fmt.Sprint(i))
						if err != nil {
							t.Errorf("encrypt %d: %v", i, err)
							return
						}
						wire <- sealed
					}
				})
				all.Go(func() {
					for i := range messages {
						sealed, open := <-wire
						if !open {
							return
						}
						if text, err := to.decrypt(ctx, from.address(), sealed); err != nil || text != fmt.Sprint(i) {
							t.Errorf("message %d opened as %q: %v", i, text, err)
						}
					}
				})
			}
			talk(a, b)
			talk(b, a)
			all.Wait()
		})
	}
}

// memory is a session store and an event buffer that can be told to fail.
type memory struct {
	store.NoopStore
	fail error
}

func (m *memory) GetSession(context.Context, string) ([]byte, error) { return nil, m.fail }
func (m *memory) GetManySessions(context.Context, []string) (map[string][]byte, error) {
	return nil, m.fail
}
func (m *memory) PutSession(context.Context, string, []byte) error           { return m.fail }
func (m *memory) PutManySessions(context.Context, map[string][]byte) error   { return m.fail }
func (m *memory) DeleteAllSessions(context.Context, string) error            { return m.fail }
func (m *memory) MigratePNToLID(context.Context, types.JID, types.JID) error { return m.fail }
func (m *memory) DoDecryptionTxn(ctx context.Context, fn func(context.Context) error) error {
	return fn(ctx)
}

func wrapped(fail error) (*store.Device, *serial.Guard) {
	d := &store.Device{}
	d.SetAllStores(&memory{fail: fail})
	return d, serial.Wrap(d)
}

// free fails the test unless the turn can be had at once.
func free(t *testing.T, d *store.Device) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := d.EventBuffer.DoDecryptionTxn(ctx, func(context.Context) error { return nil }); err != nil {
		t.Fatalf("the turn is not free: %v", err)
	}
}

func TestTheTurnComesBack(t *testing.T) {
	t.Parallel()
	broken := errors.New("the disk is on fire")
	ways := map[string]func(context.Context, *store.Device) error{
		"read, never written": func(ctx context.Context, d *store.Device) error {
			_, err := d.Sessions.GetManySessions(ctx, []string{"a"})
			return err
		},
		"one read, one write": func(ctx context.Context, d *store.Device) error {
			_, _ = d.Sessions.GetSession(ctx, "a")
			return d.Sessions.PutSession(ctx, "a", nil)
		},
		"all read, all written": func(ctx context.Context, d *store.Device) error {
			_, _ = d.Sessions.GetManySessions(ctx, []string{"a"})
			return d.Sessions.PutManySessions(ctx, map[string][]byte{"a": nil})
		},
		"written, never read": func(ctx context.Context, d *store.Device) error { return d.Sessions.PutSession(ctx, "a", nil) },
		"moved first": func(ctx context.Context, d *store.Device) error {
			if err := d.Sessions.MigratePNToLID(ctx, types.JID{}, types.JID{}); err != nil {
				return err
			}
			_, err := d.Sessions.GetSession(ctx, "a")
			return err
		},
		"deleted in between": func(ctx context.Context, d *store.Device) error {
			_, _ = d.Sessions.GetSession(ctx, "a")
			return d.Sessions.DeleteAllSessions(ctx, "a")
		},
	}
	for name, use := range ways {
		for _, fail := range []error{nil, broken} {
			t.Run(fmt.Sprintf("%s, error %v", name, fail), func(t *testing.T) {
				t.Parallel()
				d, guard := wrapped(fail)
				err := guard.Send(t.Context(), types.EmptyJID, func(ctx context.Context) error { return use(ctx, d) })
				if !errors.Is(err, fail) {
					t.Errorf("Send gave %v, want %v", err, fail)
				}
				free(t, d)
			})
		}
	}
}

func TestADecryptionKeepsTheTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, guard := wrapped(nil)
		sent := make(chan struct{})
		err := d.EventBuffer.DoDecryptionTxn(t.Context(), func(ctx context.Context) error {
			go func() {
				defer close(sent)
				_ = guard.Send(context.Background(), types.EmptyJID, func(ctx context.Context) error {
					_, err := d.Sessions.GetSession(ctx, "a")
					return err
				})
			}()
			for range 2 {
				if _, err := d.Sessions.GetSession(ctx, "a"); err != nil {
					return err
				}
				if err := d.Sessions.PutSession(ctx, "a", nil); err != nil {
					return err
				}
			}
			synctest.Wait()
			select {
			case <-sent:
				t.Error("a send stepped the session in the middle of a decryption")
			default:
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		<-sent
	})
}

func TestAForgottenTurnIsTakenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, _ := wrapped(nil)
		if _, err := d.Sessions.GetSession(t.Context(), "a"); err != nil { // and never written
			t.Fatal(err)
		}
		start := time.Now()
		if err := d.EventBuffer.DoDecryptionTxn(t.Context(), func(context.Context) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(start); waited == 0 || waited > 5*time.Second {
			t.Errorf("waited %s for a forgotten turn", waited)
		}
		if err := d.Sessions.PutSession(t.Context(), "a", nil); err != nil { // late, and harmless
			t.Fatal(err)
		}
		free(t, d)
	})
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, guard := wrapped(nil)
		err := d.EventBuffer.DoDecryptionTxn(t.Context(), func(context.Context) error {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			return guard.Send(ctx, types.EmptyJID, func(ctx context.Context) error {
				_, err := d.Sessions.GetSession(ctx, "a")
				return err
			})
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's error", err)
		}
		free(t, d)
	})
}
