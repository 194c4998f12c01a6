package worker

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"switchboard/control"
	"switchboard/engine"
	"switchboard/whatsapp/keystore"
)

// bootName is a file in a number's folder. It is there while the number's files are open, and
// says since which start of the machine.
const bootName = "boot"

// thisBoot names the present start of the machine, nothing where the system does not tell. A
// confined process cannot read it.
func thisBoot() []byte {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return bytes.TrimSpace(id)
}

// files are a number's databases where they are files.
type files struct {
	main, keys engine.File
	boot       string // path of the file of that name
}

// openedFiles notes that the databases are open. If the machine went down while they were, the keys may be
// older than what the number has sent, as those of a backup are, and are treated as such: a
// commit reaches the disk within half a minute.
func openedFiles(ctx context.Context, doc control.StartDocument, keys *sql.DB, boot []byte, log *slog.Logger) (f *files, err error) {
	f = &files{boot: filepath.Join(doc.Dir, bootName)}
	if f.main, err = engine.ParseFile(doc.Database.Main); err != nil {
		return nil, err
	}
	if f.keys, err = engine.ParseFile(doc.Database.Keys); err != nil {
		return nil, err
	}
	before, err := os.ReadFile(f.boot)
	switch {
	case len(boot) == 0 || bytes.Equal(before, boot):
		return f, nil
	case err == nil:
		log.Warn("the machine went down while this number ran; everybody it writes to gets new keys")
		if err := rewind(ctx, keys); err != nil {
			return nil, err
		}
		if err := f.keys.Sync(); err != nil {
			return nil, err
		}
	case !errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("read when the files were opened: %w", err)
	}
	return f, note(f.boot, boot)
}

// rewind is keystore.Rewind, also of a database in which there is nothing yet.
func rewind(ctx context.Context, keys *sql.DB) error {
	var tables int
	err := keys.QueryRowContext(ctx, `SELECT count(*) FROM "sqlite_master" WHERE "name" = 'whatsmeow_sessions'`).Scan(&tables)
	if err != nil || tables == 0 {
		return err
	}
	return keystore.Rewind(ctx, keys, engine.SQLite)
}

func note(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("note that the files are open: %w", err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("note that the files are open: %w", err)
	}
	return engine.SyncFolder(filepath.Dir(path))
}

// closed notes that the databases are closed, once nothing of the keys is on its way to the disk.
func (f *files) closed() {
	if f.keys.Sync() == nil {
		_ = os.Remove(f.boot)
	}
}
