package settings

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"switchboard/fault"
	"switchboard/instances"
)

// Store keeps encrypted settings in the control database. The scope is the id of a number,
// or Shared.
type Store interface {
	// Settings returns nil and 0 if there are none.
	Settings(ctx context.Context, scope string) (sealed []byte, revision int64, err error)
	// SettingsRevisions returns the revisions of all scopes that have settings.
	SettingsRevisions(ctx context.Context) (map[string]int64, error)
	// SaveSettings replaces the revision was, 0 if there are none yet. ok is false if there is
	// another one by now, or no such number.
	SaveSettings(ctx context.Context, scope string, sealed []byte, revision, was int64) (ok bool, err error)
}

// Box encrypts and decrypts.
type Box interface {
	Seal(plain []byte) []byte
	Open(sealed []byte) ([]byte, error)
}

// Shared is the scope of what holds for all numbers: webhooks.
const Shared instances.ID = ""

// Purpose is what the box of a Keeper is made for.
const Purpose = "settings of numbers"

// Keeper keeps the settings of all numbers, encrypted, in the control database. It is the only
// one that writes them. It is safe for concurrent use.
type Keeper struct {
	store Store
	box   Box

	limits instances.Limits // of numbers that have none of their own

	mu        sync.RWMutex
	revisions map[string]int64
	changed   func(context.Context, instances.ID)
}

// NewKeeper reads which revisions there are, and nothing else.
func NewKeeper(ctx context.Context, store Store, box Box) (*Keeper, error) {
	revisions, err := store.SettingsRevisions(ctx)
	if err != nil {
		return nil, err
	}
	return &Keeper{store: store, box: box, revisions: revisions}, nil
}

// OnChange has tell called after each change, with the number that it is about, or Shared.
func (k *Keeper) OnChange(tell func(context.Context, instances.ID)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.changed = tell
}

// Get returns the settings of one number without those for all, or with Shared those for all:
// the zero Settings if nothing was ever set. Settings that cannot be decrypted are a
// fault.Unavailable.
func (k *Keeper) Get(ctx context.Context, id instances.ID) (Settings, error) {
	sealed, revision, err := k.store.Settings(ctx, string(id))
	if err != nil || revision == 0 {
		return Settings{}, err
	}
	plain, err := k.box.Open(sealed)
	if err != nil {
		return Settings{}, fmt.Errorf("open settings of %q: %w", id, err)
	}
	var s Settings
	if err := json.Unmarshal(plain, &s); err != nil {
		return Settings{}, fmt.Errorf("read settings of %q: %w", id, err)
	}
	s.Revision = revision
	return s, nil
}

// retries is how often a change is tried that another one came before.
const retries = 10

// Update changes the settings of one number, or with Shared those for all, and has its worker
// told. change may be called more than once, each time with what is stored; an error of it
// ends the matter. A number that does not exist is a fault.NotFound.
func (k *Keeper) Update(ctx context.Context, id instances.ID, change func(*Settings) error) error {
	for range retries {
		s, err := k.Get(ctx, id)
		if err != nil {
			return err
		}
		was := s.Revision
		if err := change(&s); err != nil {
			return err
		}
		if ok, err := k.save(ctx, id, s, was+1, was); err != nil {
			return err
		} else if ok {
			k.tell(ctx, id)
			return nil
		}
	}
	if _, revision, err := k.store.Settings(ctx, string(id)); err != nil {
		return err
	} else if revision == 0 {
		return fault.New(fault.NotFound, "This number no longer exists.")
	}
	return fault.New(fault.Conflict, "These settings are being changed by others. Try again.")
}

// Replace puts whole settings in the place of what there is, as a backup brings them. Nobody
// is told.
func (k *Keeper) Replace(ctx context.Context, id instances.ID, s Settings) error {
	for range retries {
		_, was, err := k.store.Settings(ctx, string(id))
		if err != nil || was == 0 && s.Revision == 0 {
			return err
		}
		if ok, err := k.save(ctx, id, s, max(was, s.Revision)+1, was); err != nil || ok {
			return err
		}
	}
	return fault.New(fault.Conflict, "These settings are being changed by others. Try again.")
}

func (k *Keeper) save(ctx context.Context, id instances.ID, s Settings, revision, was int64) (ok bool, err error) {
	s.Revision = revision
	plain, err := json.Marshal(s)
	if err != nil {
		return false, fmt.Errorf("write settings of %q: %w", id, err)
	}
	if ok, err = k.store.SaveSettings(ctx, string(id), k.box.Seal(plain), revision, was); ok {
		k.mu.Lock()
		k.revisions[string(id)] = max(revision, k.revisions[string(id)])
		k.mu.Unlock()
	}
	return ok, err
}

func (k *Keeper) tell(ctx context.Context, id instances.ID) {
	k.mu.RLock()
	tell := k.changed
	k.mu.RUnlock()
	if tell != nil {
		tell(ctx, id)
	}
}

// Revision is the one that the worker of a number should work by. It rises with every change
// of its settings or of those for all, and is 0 while there are neither. It does no I/O.
func (k *Keeper) Revision(id instances.ID) int64 {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.revisions[string(id)] + k.revisions[string(Shared)]
}

// Document is what the worker of a number works by: its settings with those for all,
// and its limits with those that all have.
func (k *Keeper) Document(ctx context.Context, id instances.ID) (json.RawMessage, error) {
	own, err := k.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	shared, err := k.Get(ctx, Shared)
	if err != nil {
		return nil, err
	}
	own.Revision += shared.Revision
	own.Webhooks = slices.Concat(own.Webhooks, shared.Webhooks)
	own.Limits = own.Limits.Or(k.limits)
	return json.Marshal(own)
}
