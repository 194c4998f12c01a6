package store

import (
	"context"
	"database/sql"

	"switchboard/engine"
)

func openFile(ctx context.Context, uri string) (*sql.DB, error) {
	f, err := engine.ParseFile(uri)
	if err != nil {
		return nil, err
	}
	if err := f.Create(); err != nil {
		return nil, err
	}
	return f.Open(ctx)
}
