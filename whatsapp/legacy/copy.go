package legacy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mau.fi/whatsmeow/types"

	"switchboard/fault"
	"switchboard/tables"
	"switchboard/whatsapp/keystore"
)

// copy brings the rows of one device, as of one moment, into a keys database without devices.
// What belongs to no device (the map between phone numbers and hidden identifiers) comes
// whole: without it, sessions could not be matched to people.
func (i *Importer) copy(ctx context.Context, jid types.JID, to tables.Target) error {
	db, err := i.open(ctx)
	if err != nil {
		return err
	}
	var found []device
	if db != nil {
		defer func() { _ = db.Close() }()
		if found, err = devices(ctx, db, i.engine); err != nil {
			return i.fault(err)
		}
	}
	n := slices.IndexFunc(found, func(d device) bool { return d.jid == jid })
	if n < 0 {
		return fault.New(fault.NotFound, fmt.Sprintf("This number is not, or no longer, in %s.", i.where()))
	}
	s, version, err := store.Snapshot(ctx, db, i.engine)
	if err != nil {
		return i.fault(err)
	}
	defer s.Close()
	s.Only = func(t tables.Table) (string, any) { return ownerOf(t), found[n].raw }
	err = store.Fill(ctx, s, version, to)
	if errors.Is(err, tables.ErrNewer) {
		return fault.Wrap(fault.Unavailable, fmt.Sprintf(
			"What is in %s was written by a program with a newer WhatsApp library; update Switchboard first.", i.where()), err)
	}
	return i.fault(err)
}

// store is the library's part of a database that may hold other tables too.
var store = func() tables.Versioned {
	s := keystore.Schema
	s.Wanted = func(table string) bool { return strings.HasPrefix(table, "whatsmeow_") }
	return s
}()

// ownerOf returns the column that says whose a row is, "" if the rows of a table are nobody's.
func ownerOf(t tables.Table) string {
	for _, name := range []string{"our_jid", "jid"} {
		if slices.ContainsFunc(t.Columns, func(c tables.Column) bool { return c.Name == name }) {
			return name
		}
	}
	return ""
}
