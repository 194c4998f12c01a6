package settings_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/secrets"
	"switchboard/settings"
	"switchboard/store"
)

const id = instances.ID("shop_20260101120000")

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newKeeper(t *testing.T) (*settings.Keeper, *store.Store) {
	t.Helper()
	s, err := store.Open(t.Context(), "file:"+filepath.Join(t.TempDir(), "whatsapp.db"))
	ok(t, err)
	t.Cleanup(func() { _ = s.Close() })
	_, err = s.AddInstance(t.Context(), instances.Instance{
		ID: id, Name: "Shop", Port: 3001, Desired: instances.Running, Status: instances.Idle,
	}, "")
	ok(t, err)
	return keeper(t, s, "key"), s
}

func keeper(t *testing.T, s *store.Store, key string) *settings.Keeper {
	t.Helper()
	box, err := secrets.New(key, settings.Purpose)
	ok(t, err)
	k, err := settings.NewKeeper(t.Context(), s, box)
	ok(t, err)
	return k
}

func endpoint(id string) settings.Webhook { return settings.Webhook{ID: id, Secret: "whsec_hidden"} }

func TestSettingsAreKept(t *testing.T) {
	t.Parallel()
	k, s := newKeeper(t)
	var told []instances.ID
	k.OnChange(func(_ context.Context, id instances.ID) { told = append(told, id) })
	if got, err := k.Get(t.Context(), id); err != nil || got.Revision != 0 || k.Revision(id) != 0 {
		t.Errorf("never set: %+v, %v", got, err)
	}
	add := func(scope instances.ID, endpointID string) {
		t.Helper()
		ok(t, k.Update(t.Context(), scope, func(s *settings.Settings) error {
			s.Webhooks = append(s.Webhooks, endpoint(endpointID))
			return nil
		}))
	}
	add(id, "a")
	add(settings.Shared, "all")
	add(id, "b")
	if len(told) != 3 || told[1] != settings.Shared {
		t.Errorf("told of %q", told)
	}
	for name, k := range map[string]*settings.Keeper{"the same": k, "the next process": keeper(t, s, "key")} {
		document, err := k.Document(t.Context(), id)
		ok(t, err)
		var got settings.Settings
		ok(t, json.Unmarshal(document, &got))
		if got.Revision != 3 || k.Revision(id) != 3 || len(got.Webhooks) != 3 || got.Webhooks[2].ID != "all" || got.Webhooks[0].Secret == "" {
			t.Errorf("%s: a worker would get %s", name, document)
		}
	}
	if sealed, _, err := s.Settings(t.Context(), string(id)); err != nil || bytes.Contains(sealed, []byte("hidden")) {
		t.Errorf("the database tells secrets, %v", err)
	}
	if _, err := keeper(t, s, "another key").Get(t.Context(), id); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("with another key: %v", err)
	}
}

func TestAChangeThatFailsChangesNothing(t *testing.T) {
	t.Parallel()
	k, s := newKeeper(t)
	no := errors.New("no")
	if err := k.Update(t.Context(), id, func(s *settings.Settings) error { s.Region = "DE"; return no }); !errors.Is(err, no) {
		t.Errorf("got %v", err)
	}
	if got, err := k.Get(t.Context(), id); err != nil || got.Region != "" || got.Revision != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	unknown := k.Update(t.Context(), "nobody_20260101120000", func(*settings.Settings) error { return nil })
	if fault.KindOf(unknown) != fault.NotFound {
		t.Errorf("an unknown number: %v", unknown)
	}
	ok(t, k.Update(t.Context(), id, func(s *settings.Settings) error { s.Region = "DE"; return nil }))
	ok(t, s.RemoveInstance(t.Context(), id))
	if sealed, _, err := s.Settings(t.Context(), string(id)); err != nil || sealed != nil {
		t.Errorf("a deleted number's settings are there: %v", err)
	}
}

// Of changes at the same moment none is lost.
func TestChangesAtOnce(t *testing.T) {
	t.Parallel()
	k, _ := newKeeper(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if err := k.Update(t.Context(), id, func(s *settings.Settings) error {
				s.Pace.PerMinute++
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got, err := k.Get(t.Context(), id); err != nil || got.Pace.PerMinute != 4 || got.Revision != 4 {
		t.Errorf("%+v, %v", got, err)
	}
}

// What a backup brings is later than all that a worker ever heard of.
func TestReplace(t *testing.T) {
	t.Parallel()
	k, _ := newKeeper(t)
	for _, c := range []struct{ comes, want int64 }{{0, 0}, {7, 8}, {3, 9}, {0, 10}} {
		ok(t, k.Replace(t.Context(), id, settings.Settings{Revision: c.comes, Region: "DE"}))
		if got := k.Revision(id); got != c.want {
			t.Errorf("revision %d came: it is %d, want %d", c.comes, got, c.want)
		}
	}
}
