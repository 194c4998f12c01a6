package store

import (
	"testing"

	"switchboard/instances"
)

func TestSettings(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		const id = "shop_20240101120000"
		save := func(scope, sealed string, revision, was int64) bool {
			t.Helper()
			ok, err := s.SaveSettings(t.Context(), scope, []byte(sealed), revision, was)
			if err != nil {
				t.Fatal(err)
			}
			return ok
		}
		if save(id, "x", 1, 0) {
			t.Error("a number that does not exist has settings")
		}
		inst := instances.Instance{ID: id, Name: "Shop", Port: 3001, Desired: instances.Running, Status: instances.Idle}
		if _, err := s.AddInstance(t.Context(), inst, ""); err != nil {
			t.Fatal(err)
		}
		if !save("", "for all\x00\xff", 1, 0) || !save(id, "first", 1, 0) || save(id, "second", 1, 0) ||
			!save(id, "third", 2, 1) || save(id, "late", 2, 1) {
			t.Error("a revision was replaced by one that did not know it")
		}
		if sealed, revision, err := s.Settings(t.Context(), id); err != nil || string(sealed) != "third" || revision != 2 {
			t.Errorf("%q of %d, %v", sealed, revision, err)
		}
		if sealed, _, err := s.Settings(t.Context(), ""); err != nil || string(sealed) != "for all\x00\xff" {
			t.Errorf("%q, %v", sealed, err)
		}
		if all, err := s.SettingsRevisions(t.Context()); err != nil || len(all) != 2 || all[id] != 2 {
			t.Errorf("%v, %v", all, err)
		}
		if err := s.RemoveInstance(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if sealed, revision, err := s.Settings(t.Context(), id); err != nil || sealed != nil || revision != 0 {
			t.Errorf("a deleted number has %q, %v", sealed, err)
		}
		if err := s.ForgetSealed(t.Context()); err != nil {
			t.Fatal(err)
		}
		if all, err := s.SettingsRevisions(t.Context()); err != nil || len(all) != 0 {
			t.Errorf("%v, %v", all, err)
		}
	})
}
