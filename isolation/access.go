package isolation

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"switchboard/engine"
	"switchboard/fault"
	"switchboard/instances"
)

// Access returns the access to the two databases of an instance as they are, and makes
// nothing. What does not exist or is empty is a fault.Unavailable that wraps ErrRefused and
// instances.ErrLost. What is in them is not looked at.
func (d *Databases) Access(ctx context.Context, id instances.ID) (instances.Access, error) {
	if err := check(id); err != nil {
		return instances.Access{}, err
	}
	switch p := d.place.(type) {
	case files:
		for _, file := range []engine.File{p.main(id), p.keys(id)} {
			if err := present(file); err != nil {
				return instances.Access{}, err
			}
		}
		return instances.Access{Engine: engine.SQLite, Main: p.main(id).URI(), Keys: p.keys(id).URI()}, nil
	case *server:
		sealed, err := p.vault.Password(ctx, id)
		if err != nil {
			return instances.Access{}, err
		}
		if sealed == nil {
			return instances.Access{}, lost("This number has no databases yet.")
		}
		password, err := p.secrets.Open(sealed)
		if err != nil {
			return instances.Access{}, err
		}
		found, err := p.find(ctx, id)
		if err != nil {
			return instances.Access{}, serverFault("The PostgreSQL server does not tell whether the databases of this number exist; the log tells why.", err)
		}
		for _, name := range []string{mainName(id), keysName(id)} {
			if !found[name].exists {
				return instances.Access{}, lost(fmt.Sprintf(
					"The PostgreSQL database %s is missing. Bring it back from a backup, then start the number again.", name))
			}
		}
		return p.access(id, string(password))
	}
	return instances.Access{}, fmt.Errorf("access to databases of %s: unknown engine", id)
}

// present makes sure that a database file is there and has something in it, as every one has
// that was provisioned.
func present(f engine.File) error {
	info, err := os.Stat(f.Path)
	var what string
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		what = "is missing"
	case err != nil:
		what = "cannot be reached (" + reason(err) + ")"
	case !info.Mode().IsRegular():
		what = "is no file but something else"
	case info.Size() == 0:
		what = "is empty"
	default:
		return nil
	}
	return lost(fmt.Sprintf(
		"The database file %s %s. Check that its disk is mounted and STORAGE_DIR is right, or put the number's folder back from a backup; then start the number again.", f.Path, what))
}

func reason(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}

func lost(message string) error {
	return fault.Wrap(fault.Unavailable, message, fmt.Errorf("%w: %w", ErrRefused, instances.ErrLost))
}

// OpenReadOnly opens one of the databases that an Access names for reading only, beside its
// worker or without one. The caller closes it soon.
func OpenReadOnly(ctx context.Context, name, dsn string) (*sql.DB, error) {
	if name == engine.Postgres {
		return engine.OpenPostgres(ctx, dsn, ofReader)
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
