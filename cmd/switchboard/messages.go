package main

import (
	"context"

	"switchboard/instances"
	"switchboard/isolation"
	"switchboard/messages"
)

// messageReader reads the messages of a number for the panel, beside its worker: the panel
// opens the number's database for reading only, and closes it again.
type messageReader struct{ databases *isolation.Databases }

// Latest returns the newest messages of a number, the newest first.
func (m messageReader) Latest(ctx context.Context, id instances.ID, limit int) ([]messages.Message, error) {
	db, err := m.databases.ReadMain(ctx, id)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return messages.New(db).Latest(ctx, limit)
}
