package serial

import (
	"context"
	"maps"
	"slices"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
)

// sessions is a session store whose reads take the turn and whose writes give it back.
type sessions struct {
	store.SessionStore
	guard *Guard
	kept  kept
}

func (s *sessions) GetSession(ctx context.Context, address string) (session []byte, err error) {
	err = s.guard.read(ctx, []string{address}, func() error {
		return s.guard.try(ctx, func() error {
			session, err = s.SessionStore.GetSession(ctx, address)
			return err
		})
	})
	if h := s.guard.holdOf(ctx); err == nil && h != nil && h.keep {
		h.load(address, session)
	}
	return session, err
}

func (s *sessions) HasSession(ctx context.Context, address string) (has bool, err error) {
	err = s.guard.try(ctx, func() error {
		has, err = s.SessionStore.HasSession(ctx, address)
		return err
	})
	if h := s.guard.holdOf(ctx); !has || err != nil || h != nil && h.keep {
		return has, err
	}
	err = s.guard.try(ctx, func() error {
		session, err := s.SessionStore.GetSession(ctx, address)
		has = !rewound(session)
		return err
	})
	return has, err
}

func (s *sessions) GetManySessions(ctx context.Context, addresses []string) (found map[string][]byte, err error) {
	h := s.guard.holdOf(ctx)
	if h != nil {
		h.ask(addresses)
	}
	err = s.guard.read(ctx, addresses, func() error {
		if s.guard.sends(ctx) {
			if found = s.kept.all(addresses); found != nil {
				return nil
			}
		}
		found, err = s.SessionStore.GetManySessions(ctx, addresses)
		if h != nil {
			h.unsendable(found)
		}
		return err
	})
	return found, err
}

// PutSession is how a decryption stores the session it has stepped. Nothing else steps more
// than the current state, so that nothing else needs the repair.
func (s *sessions) PutSession(ctx context.Context, address string, session []byte) error {
	if h := s.guard.holdOf(ctx); h != nil && h.keep {
		var err error
		if session, err = repair(h.loaded(address), session); err != nil {
			return err
		}
	}
	return s.write(ctx, address, session)
}

func (s *sessions) write(ctx context.Context, address string, session []byte) error {
	return s.guard.write(ctx, []string{address}, func() error {
		s.kept.forget(address)
		return s.guard.try(ctx, func() error { return s.SessionStore.PutSession(ctx, address, session) })
	})
}

func (s *sessions) PutManySessions(ctx context.Context, all map[string][]byte) error {
	h := s.guard.holdOf(ctx)
	if h != nil {
		err := h.reached(all)
		if err == nil {
			all, err = h.succeed(all)
		}
		if err != nil {
			return err
		}
	}
	addresses := slices.Collect(maps.Keys(all))
	err := s.guard.write(ctx, addresses, func() error {
		s.kept.forget(addresses...)
		err := s.SessionStore.PutManySessions(ctx, all)
		if err == nil && s.guard.sends(ctx) {
			s.kept.keep(all)
		}
		return err
	})
	if err != nil || h == nil || h.ready == nil {
		return err
	}
	return h.ready()
}

func (s *sessions) DeleteSession(ctx context.Context, address string) error {
	return s.guard.within(ctx, func() error {
		s.kept.forget(address)
		return s.SessionStore.DeleteSession(ctx, address)
	})
}

func (s *sessions) DeleteAllSessions(ctx context.Context, phone string) error {
	return s.guard.within(ctx, func() error {
		s.kept.clear()
		return s.SessionStore.DeleteAllSessions(ctx, phone)
	})
}

func (s *sessions) MigratePNToLID(ctx context.Context, pn, lid types.JID) error {
	if i := s.guard.identities; i != nil { // it moves them too
		defer i.forget()
		i.forget()
	}
	return s.guard.persist(ctx, func() error {
		return s.guard.within(ctx, func() error {
			s.kept.clear()
			return s.SessionStore.MigratePNToLID(ctx, pn, lid)
		})
	})
}

// buffer is an event buffer whose decryptions each have the turn from beginning to end.
type buffer struct {
	store.EventBuffer
	guard *Guard
}

// GetBufferedEvent is the first that whatsmeow does with a message.
func (b *buffer) GetBufferedEvent(ctx context.Context, hash [32]byte) (event *store.BufferedEvent, err error) {
	err = b.guard.persist(ctx, func() error {
		event, err = b.EventBuffer.GetBufferedEvent(ctx, hash)
		return err
	})
	return event, err
}

func (b *buffer) DoDecryptionTxn(ctx context.Context, decrypt func(context.Context) error) error {
	return b.guard.persist(ctx, func() error { return b.decrypt(ctx, decrypt) })
}

func (b *buffer) decrypt(ctx context.Context, decrypt func(context.Context) error) error {
	h := &hold{guard: b.guard, keep: true}
	// Before the transaction and not in it: a writer of SQLite that waited here would keep
	// the one that has the turn from writing.
	if err := h.take(ctx); err != nil {
		return err
	}
	defer h.end()
	return b.EventBuffer.DoDecryptionTxn(context.WithValue(ctx, holdKey{b.guard}, h), decrypt)
}

// container puts the guard back in place after a save, since the first save of a new device,
// at pairing, replaces all its stores.
type container struct {
	store.DeviceContainer
	guard *Guard
}

func (c *container) PutDevice(ctx context.Context, device *store.Device) error {
	err := c.DeviceContainer.PutDevice(ctx, device)
	c.guard.attach(device)
	return err
}
