package main

import (
	"log/slog"
	"path/filepath"
	"testing"

	"switchboard/audit"
	"switchboard/instances"
	"switchboard/store"
)

// That somebody linked a number to a phone, or to another phone, is in the audit log.
func TestLinkedPhonesAreRecorded(t *testing.T) {
	t.Parallel()
	s, err := store.Open(t.Context(), "file:"+filepath.Join(t.TempDir(), "whatsapp.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l := &linked{record: audit.New(s, []byte("key"), "", slog.New(slog.DiscardHandler))}
	at := func(status instances.Status, jid string) instances.Instance {
		return instances.Instance{ID: "shop_20260101120000", Status: status, JID: jid}
	}
	const first, second = "491701234567:1@s.whatsapp.net", "491701234568:2@s.whatsapp.net"
	changes := []instances.Instance{
		{}, at(instances.PairingPhone, ""), at(instances.Connected, first), at(instances.Reconnecting, first), at(instances.Connected, first),
		at(instances.LoggedOut, first), at(instances.PairingPhone, first), at(instances.Connected, second), {},
	}
	for i := range changes[1:] {
		l.changed(changes[i], changes[i+1])
		l.adding.Wait()
	}
	l.changed(instances.Instance{}, at(instances.Connected, first)) // it was there when the panel started
	l.adding.Wait()
	entries, err := s.Entries(t.Context(), audit.Query{})
	if err != nil || len(entries) != 2 || entries[1].Target != "…4567" || entries[0].Target != "…4568" || entries[0].Instance != "shop_20260101120000" {
		t.Errorf("recorded are %+v, %v", entries, err)
	}
}
