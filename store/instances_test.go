package store

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"switchboard/engine"
	"switchboard/fault"
	"switchboard/instances"
)

func number(n int) instances.Instance {
	id := instances.ID(fmt.Sprintf("n%d_20240101120000", n))
	at := time.Date(2024, 1, 1, 12, 0, n, 123e6, time.UTC)
	return instances.Instance{
		ID: id, Name: fmt.Sprintf("Number %d", n), Phone: "491700000001", Owner: 7,
		JID: "491700000001:7@s.whatsapp.net", LID: "123:7@lid", PushName: "Ünal",
		Desired: instances.Running, Status: instances.Provisioning, Reason: instances.NoProof,
		Since: at, RetryAt: at.Add(time.Hour), Port: 3000 + n, Restarts: 3, CreatedAt: at,
		Database: instances.Database{Engine: engine.SQLite, Main: "whatsapp_" + string(id), Keys: "keys_" + string(id)},
	}
}

func add(t *testing.T, s *Store, i instances.Instance) {
	t.Helper()
	if id, err := s.AddInstance(t.Context(), i, ""); err != nil || id != i.ID {
		t.Fatalf("add: %q, %v", id, err)
	}
}

func all(t *testing.T, s *Store) []instances.Instance {
	t.Helper()
	list, err := s.Instances(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestInstancesRoundTrip(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		if list := all(t, s); len(list) != 0 {
			t.Errorf("a new store holds %v", list)
		}
		older, newer := number(1), number(2)
		newer.RetryAt = time.Time{}
		add(t, s, newer)
		add(t, s, older)
		if got, want := all(t, s), []instances.Instance{older, newer}; !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	})
}

func TestSaveInstance(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		add(t, s, number(1))
		add(t, s, number(2))
		i := number(1)
		i.Name, i.Phone, i.JID, i.LID, i.PushName = "Other", "1", "2", "3", "4"
		i.Desired, i.Status, i.Reason = instances.Stopped, instances.Failed, instances.CrashLoop
		i.Since, i.RetryAt, i.Restarts = i.Since.Add(time.Minute), time.Time{}, 9
		i.ActiveAt = i.Since.Add(-time.Hour)
		if err := s.SaveInstance(t.Context(), i); err != nil {
			t.Fatal(err)
		}
		if got, want := all(t, s), []instances.Instance{i, number(2)}; !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
		// What belongs to the number for life does not change.
		changed := i
		changed.Port, changed.Owner = 9999, 99
		if err := s.SaveInstance(t.Context(), changed); err != nil {
			t.Fatal(err)
		}
		if got := all(t, s)[0]; got.Port != i.Port || got.Owner != i.Owner {
			t.Errorf("port %d, owner %d", got.Port, got.Owner)
		}
		i.Name = "NUMBER 2"
		if err := s.SaveInstance(t.Context(), i); fault.KindOf(err) != fault.Conflict || fault.FieldOf(err) != "name" {
			t.Errorf("a name in use: %v", err)
		}
		if err := s.SaveInstance(t.Context(), number(3)); fault.KindOf(err) != fault.NotFound {
			t.Errorf("an unknown number: %v", err)
		}
	})
}

func TestEveryStatusCanBeStored(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		i := number(1)
		add(t, s, i)
		for _, status := range []instances.Status{
			instances.Provisioning, instances.Idle, instances.Starting, instances.PairingPhone, instances.PasskeyRequired,
			instances.Connected, instances.Reconnecting, instances.LoggedOut, instances.Restricted, instances.Outdated,
			instances.Replaced, instances.Backoff, instances.Failed, instances.Stopping, instances.Deleting,
		} {
			i.Status = status
			if err := s.SaveInstance(t.Context(), i); err != nil {
				t.Errorf("%s: %v", status, err)
			}
		}
		i.Status = "dreaming"
		if err := s.SaveInstance(t.Context(), i); err == nil {
			t.Error("an invented status was stored")
		}
		i.Status, i.Desired = instances.Idle, "perhaps"
		if err := s.SaveInstance(t.Context(), i); err == nil {
			t.Error("an invented wish was stored")
		}
	})
}

func TestAddInstanceConflicts(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		first := number(1)
		first.Name = "Straße Ärzte"
		add(t, s, first)
		for field, change := range map[string]func(*instances.Instance){
			"name": func(i *instances.Instance) { i.Name = "straße ÄRZTE" },
			"port": func(i *instances.Instance) { i.Port = first.Port },
			"id":   func(i *instances.Instance) { i.ID = first.ID },
		} {
			i := number(2)
			change(&i)
			_, err := s.AddInstance(t.Context(), i, "")
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != fault.Conflict || f.Field != field || f.Message == "" {
				t.Errorf("%s: %v", field, err)
			}
		}
		if len(all(t, s)) != 1 {
			t.Error("a refused number was stored")
		}
	})
}

func TestRepeatedRequest(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		var wait sync.WaitGroup
		ids := make([]instances.ID, 8)
		for n := range ids {
			wait.Go(func() {
				i := number(n + 1)
				i.Name = "The same"
				var err error
				if ids[n], err = s.AddInstance(t.Context(), i, "form-1"); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		list := all(t, s)
		if len(list) != 1 {
			t.Fatalf("%d numbers from one form", len(list))
		}
		for _, id := range ids {
			if id != list[0].ID {
				t.Errorf("got %q, stored %q", id, list[0].ID)
			}
		}
		i := number(20)
		i.Name = "The same"
		if _, err := s.AddInstance(t.Context(), i, "form-2"); fault.FieldOf(err) != "name" {
			t.Errorf("another form with the same name: %v", err)
		}
	})
}

func TestRemoveInstance(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		add(t, s, number(1))
		for range 2 {
			if err := s.RemoveInstance(t.Context(), number(1).ID); err != nil {
				t.Fatal(err)
			}
		}
		add(t, s, number(1)) // name, port and id are free again
	})
}
