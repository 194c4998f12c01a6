package serial

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
)

// ErrUnreached says that a message could be encrypted for none of the devices it was for.
var ErrUnreached = errors.New("encrypted for no device of the recipient")

// reach is whom the message of one Send could be encrypted for.
type reach struct {
	person bool // it is for one person, not for a group

	lock    sync.Mutex
	asked   []string // the addresses whose sessions were read
	written bool     // sessions were written, so that the message could go out
	failed  error    // the first error of a store
}

// ask notes whose sessions are read to encrypt for.
func (r *reach) ask(addresses []string) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.asked = append(r.asked, addresses...)
}

// note keeps the error of a store.
func (r *reach) note(err error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.failed == nil {
		r.failed = err
	}
}

// reached checks, before the sessions of encrypted are written, that the message may go out.
func (h *hold) reached(encrypted map[string][]byte) error {
	h.lock.Lock()
	defer h.lock.Unlock()
	if h.failed != nil {
		return h.failed
	}
	if h.person {
		others := slices.DeleteFunc(slices.Clone(h.asked), h.guard.own)
		reached := func(address string) bool { _, found := encrypted[address]; return found }
		if len(others) > 0 && !slices.ContainsFunc(others, reached) {
			return ErrUnreached
		}
	}
	h.written = true
	return nil
}

// unwritten is the error of a message to a person that went out although no session was written,
// so that it was for nobody: whatsmeow writes none when it could encrypt for none.
func (h *hold) unwritten() error {
	h.lock.Lock()
	defer h.lock.Unlock()
	switch {
	case !h.person || h.written || len(h.asked) == 0:
		return nil
	case h.failed != nil:
		return h.failed
	}
	return ErrUnreached
}

// own says whether an address is that of a device of our own account.
func (g *Guard) own(address string) bool {
	name := address[:max(0, strings.LastIndexByte(address, ':'))]
	for _, jid := range []types.JID{g.device.GetJID(), g.device.GetLID()} {
		if !jid.IsEmpty() && jid.SignalAddressUser() == name {
			return true
		}
	}
	return false
}

// try runs f, which reads or writes a store, all or nothing. A Send keeps the error. What
// belongs to no Send and to no decryption, as the answer to somebody who could not open a
// message, has nobody to repeat it, and waits until the store is back.
func (g *Guard) try(ctx context.Context, f func() error) error {
	h := g.holdOf(ctx)
	if h == nil {
		return g.persist(ctx, f)
	}
	err := f()
	if err != nil {
		h.note(err)
	}
	return err
}

// secrets is a store of the secrets with which votes on a message, and reactions to it, are
// opened. SendMessage goes on without.
type secrets struct {
	store.MsgSecretStore
	guard *Guard
}

func (s *secrets) PutMessageSecret(ctx context.Context, chat, sender types.JID, id types.MessageID, secret []byte) error {
	return s.guard.try(ctx, func() error { return s.MsgSecretStore.PutMessageSecret(ctx, chat, sender, id, secret) })
}

// senderKeys is a store of the keys of groups. One that comes with a message is stored after that was
// decrypted, and the library goes on without it.
type senderKeys struct {
	store.SenderKeyStore
	guard *Guard
}

func (s *senderKeys) PutSenderKey(ctx context.Context, group, user string, session []byte) error {
	return s.guard.try(ctx, func() error { return s.SenderKeyStore.PutSenderKey(ctx, group, user, session) })
}

func (s *senderKeys) GetSenderKey(ctx context.Context, group, user string) (session []byte, err error) {
	err = s.guard.try(ctx, func() error {
		session, err = s.SenderKeyStore.GetSenderKey(ctx, group, user)
		return err
	})
	return session, err
}
