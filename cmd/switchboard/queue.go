package main

import (
	"context"

	"switchboard/instances"
	"switchboard/isolation"
	"switchboard/sending"
)

// queueReader reads what a number is to send, beside its worker, as messageReader does.
type queueReader struct{ databases *isolation.Databases }

// Waiting returns what waits, in the order in which it is due.
func (q queueReader) Waiting(ctx context.Context, id instances.ID, limit int) ([]sending.Send, error) {
	db, err := q.databases.ReadMain(ctx, id)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return sending.Book{DB: db}.Queue(ctx, limit)
}
