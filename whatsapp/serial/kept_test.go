package serial

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
)

// shelf is what is in the database, how often it is asked, and whether it takes anything.
type shelf struct {
	store.SessionStore
	all   map[string][]byte
	reads int
	fail  error
}

func (s *shelf) GetSession(_ context.Context, address string) ([]byte, error) {
	return s.all[address], nil
}

func (s *shelf) GetManySessions(_ context.Context, addresses []string) (map[string][]byte, error) {
	s.reads++
	found := map[string][]byte{}
	for _, a := range addresses {
		found[a] = s.all[a]
	}
	return found, nil
}

func (s *shelf) PutSession(_ context.Context, address string, session []byte) error {
	s.all[address] = session
	return nil
}

func (s *shelf) PutManySessions(_ context.Context, all map[string][]byte) error {
	maps.Copy(s.all, all)
	return s.fail
}

func (s *shelf) DeleteSession(_ context.Context, address string) error {
	delete(s.all, address)
	return nil
}

func (s *shelf) DeleteAllSessions(context.Context, string) error {
	clear(s.all)
	return nil
}

func (s *shelf) MigratePNToLID(context.Context, types.JID, types.JID) error {
	clear(s.all)
	return nil
}

// undone is a transaction in which a decryption writes, and which is undone.
type undone struct {
	store.EventBuffer
	shelf *shelf
}

var errUndone = errors.New("undone")

func (u undone) DoDecryptionTxn(ctx context.Context, decrypt func(context.Context) error) error {
	before := maps.Clone(u.shelf.all)
	if err := decrypt(ctx); err != nil {
		return err
	}
	u.shelf.all = before
	return errUndone
}

// A send steps the sessions that are in the database, although it reads them only when
// something else than a send has written them.
func TestSendsStepWhatIsStored(t *testing.T) {
	t.Parallel()
	g := &Guard{turn: make(chan struct{}, 1)}
	g.give()
	db := &shelf{all: map[string][]byte{}}
	s := &sessions{SessionStore: db, guard: g}
	b := &buffer{EventBuffer: undone{shelf: db}, guard: g}
	both := []string{"a", "b"}
	steps := 0
	send := func(wantRead bool) {
		t.Helper()
		before := db.reads
		_ = g.Send(t.Context(), types.EmptyJID, func(ctx context.Context) error {
			found, err := s.GetManySessions(ctx, both)
			if err != nil || len(found) != 2 {
				t.Fatalf("got %q, %v", found, err)
			}
			for address, session := range found {
				if string(session) != string(db.all[address]) {
					t.Errorf("got %q at %s, %q is stored", session, address, db.all[address])
				}
			}
			if read := db.reads > before; read != wantRead {
				t.Errorf("read: %v", read)
			}
			steps++
			next := []byte(fmt.Sprint(steps))
			return s.PutManySessions(ctx, map[string][]byte{"a": next, "b": next})
		})
	}
	send(true)
	send(false)
	ctx := t.Context()
	for what, change := range map[string]func() error{
		"another writes":      func() error { return s.PutSession(ctx, "a", []byte("other")) },
		"one is deleted":      func() error { return s.DeleteSession(ctx, "b") },
		"all are deleted":     func() error { return s.DeleteAllSessions(ctx, "a") },
		"they move elsewhere": func() error { return s.MigratePNToLID(ctx, types.EmptyJID, types.EmptyJID) },
		"many are written":    func() error { return s.PutManySessions(ctx, map[string][]byte{"b": []byte("many")}) },
		"a decryption is undone": func() error {
			err := b.DoDecryptionTxn(ctx, func(ctx context.Context) error {
				_, _ = s.GetSession(ctx, "a")
				return s.write(ctx, "a", []byte("undone"))
			})
			if !errors.Is(err, errUndone) {
				t.Errorf("got %v", err)
			}
			return nil
		},
		"a send may have failed": func() error {
			db.fail = errUndone
			send(false)
			db.fail = nil
			return nil
		},
	} {
		if err := change(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		send(true)
		send(false)
	}
}

// What is kept has a bound, however many people are written to.
func TestFewSessionsAreKept(t *testing.T) {
	t.Parallel()
	var k kept
	for n := range 10 * maxSessions {
		k.keep(map[string][]byte{fmt.Sprint(n): {1}, "large": make([]byte, maxSession+1)})
		if len(k.sessions) > maxSessions {
			t.Fatalf("%d are kept", len(k.sessions))
		}
	}
	if k.all([]string{"large"}) != nil || k.all([]string{fmt.Sprint(10*maxSessions - 1)}) == nil {
		t.Error("the wrong ones are kept")
	}
}
