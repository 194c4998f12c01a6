package main

import (
	"context"
	"database/sql"

	"switchboard/instances"
	"switchboard/isolation"
	"switchboard/messages"
)

// messageReader reads the messages of a number for the panel, beside its worker: the panel
// opens the number's database for reading only, and closes it again.
type messageReader struct{ databases *isolation.Databases }

// deliveryReader gives use the database of a number, for reading only, as messageReader has it.
func deliveryReader(databases *isolation.Databases) func(context.Context, instances.ID, func(*sql.DB) error) error {
	return func(ctx context.Context, id instances.ID, use func(*sql.DB) error) error {
		db, err := databases.ReadMain(ctx, id)
		if err != nil {
			return err
		}
		defer db.Close()
		return use(db)
	}
}

// MediaBacklog returns what waits to be put into the bucket of a number.
func (m messageReader) MediaBacklog(ctx context.Context, id instances.ID) (messages.Backlog, error) {
	db, err := m.databases.ReadMain(ctx, id)
	if err != nil {
		return messages.Backlog{}, err
	}
	defer db.Close()
	return messages.New(db).MediaBacklog(ctx)
}

// Latest returns the newest messages of a number, the newest first.
func (m messageReader) Latest(ctx context.Context, id instances.ID, limit int) ([]messages.Message, error) {
	db, err := m.databases.ReadMain(ctx, id)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return messages.New(db).Latest(ctx, limit)
}

// Search returns the newest messages of a number that have certain words.
func (m messageReader) Search(ctx context.Context, id instances.ID, query string, limit int) ([]messages.Message, error) {
	db, err := m.databases.ReadMain(ctx, id)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return messages.New(db).Search(ctx, query, limit)
}
