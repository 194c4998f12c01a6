package isolation

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"switchboard/engine"
	"switchboard/fault"
	"switchboard/instances"
)

// Access returns the access to the two databases of an instance as they are, and makes
// nothing. Databases that do not exist are a fault.Unavailable that wraps ErrRefused.
func (d *Databases) Access(ctx context.Context, id instances.ID) (instances.Access, error) {
	if err := check(id); err != nil {
		return instances.Access{}, err
	}
	switch p := d.place.(type) {
	case files:
		for _, file := range []engine.File{p.main(id), p.keys(id)} {
			if _, err := os.Stat(file.Path); errors.Is(err, fs.ErrNotExist) {
				return instances.Access{}, fault.Wrap(fault.Unavailable,
					fmt.Sprintf("The database file %s does not exist.", file.Path), ErrRefused)
			}
		}
		return instances.Access{Engine: engine.SQLite, Main: p.main(id).URI(), Keys: p.keys(id).URI()}, nil
	case *server:
		sealed, err := p.vault.Password(ctx, id)
		if err != nil {
			return instances.Access{}, err
		}
		if sealed == nil {
			return instances.Access{}, fault.Wrap(fault.Unavailable, "This number has no databases yet.", ErrRefused)
		}
		password, err := p.secrets.Open(sealed)
		if err != nil {
			return instances.Access{}, err
		}
		return p.access(id, string(password))
	}
	return instances.Access{}, fmt.Errorf("access to databases of %s: unknown engine", id)
}

// OpenReadOnly opens one of the databases that an Access names for reading only, beside its
// worker or without one. The caller closes it soon.
func OpenReadOnly(ctx context.Context, name, dsn string) (*sql.DB, error) {
	if name == engine.Postgres {
		return engine.OpenPostgres(ctx, dsn+"&default_transaction_read_only=on", ofReader)
	}
	file, err := engine.ParseFile(dsn)
	if err != nil {
		return nil, err
	}
	return file.OpenReadOnly(ctx)
}

// Exists tells whether there is anything of the two databases of an instance.
func (d *Databases) Exists(ctx context.Context, id instances.ID) (bool, error) {
	n, err := d.count(ctx, id)
	return n > 0, err
}

// Complete tells whether both databases of an instance exist.
func (d *Databases) Complete(ctx context.Context, id instances.ID) (bool, error) {
	n, err := d.count(ctx, id)
	return n == 2, err
}

func (d *Databases) count(ctx context.Context, id instances.ID) (n int, err error) {
	if err := check(id); err != nil {
		return 0, err
	}
	switch p := d.place.(type) {
	case files:
		for _, file := range []engine.File{p.main(id), p.keys(id)} {
			if _, err := os.Stat(file.Path); err == nil {
				n++
			} else if !errors.Is(err, fs.ErrNotExist) {
				return 0, fmt.Errorf("look for databases of %s: %w", id, err)
			}
		}
		return n, nil
	case *server:
		found, err := p.find(ctx, id)
		return len(found), err
	}
	return 0, fmt.Errorf("look for databases of %s: unknown engine", id)
}
