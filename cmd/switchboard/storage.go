package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"switchboard/engine"
	"switchboard/secrets"
	"switchboard/store"
)

// secretKeyName is the key's file in the storage folder.
const secretKeyName = "secret.key"

// serveLockName is the file in the storage folder that a running serve holds; its pid is in it.
const serveLockName = "serve.lock"

// storage is what every command that touches data works with.
type storage struct {
	dir   string // absolute
	file  string // of the control database, "" with PostgreSQL
	store *store.Store
	key   string // the secret key
}

func (s *storage) Close() error { return s.store.Close() }

// openStorage opens the control database and the secret key, making both on the first
// start. Everything that can be wrong is looked at before anything is made or changed.
// newKey permits a second key where the first is lost.
func openStorage(ctx context.Context, c config, newKey bool) (*storage, error) {
	s, err := findStorage(c)
	if err != nil {
		return nil, err
	}
	dir, key := s.dir, s.key
	_, missing := os.Stat(dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, refuse("STORAGE_DIR needs the folder %s, which cannot be made: %s. Choose another folder.", dir, reasonOf(err))
	}
	undo := func() {
		if missing != nil {
			_ = os.Remove(dir) // only if it is empty
		}
	}
	opened, err := store.Open(ctx, c.DBURI)
	if err != nil {
		undo()
		return nil, refuseFor(err)
	}
	s.store = opened
	if key == "" {
		if err := s.makeKey(ctx, newKey); err != nil {
			undo()
			return nil, errors.Join(err, opened.Close())
		}
	}
	err = s.finishRotation(ctx)
	if err == nil {
		err = s.checkKey(ctx, newKey)
	}
	if err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	return s, nil
}

// checkKey makes sure that the secret key is the one that everything is sealed with: with another one, what is
// sealed from now on could be read with neither. again takes it all the same, for when the right one is lost.
func (s *storage) checkKey(ctx context.Context, again bool) error {
	box, err := secrets.New(s.key, probePurpose)
	if err != nil {
		return err
	}
	under, err := s.under(ctx, s.key)
	switch {
	case err != nil:
		return err
	case under:
		return s.store.KeepProbe(ctx, box.Seal(nil))
	case !again:
		return s.wrongKey()
	}
	if err := s.store.ForgetSealed(ctx); err != nil {
		return err
	}
	return s.store.ReplaceProbe(ctx, box.Seal(nil))
}

func (s *storage) wrongKey() error {
	return refuse("The secret key is not the one that this installation is sealed with. Put that one back in SECRET_KEY, or in %s; if it is lost, start once with --new-secret-key, and enter again what was encrypted with it.", filepath.Join(s.dir, secretKeyName))
}

// findStorage looks at everything that can be wrong before the control database is opened,
// and changes nothing. The store is not open yet, and the key is "" if there is none.
func findStorage(c config) (*storage, error) {
	dir, err := filepath.Abs(c.StorageDir)
	if err != nil {
		return nil, refuse("STORAGE_DIR cannot be found: %s.", err)
	}
	for _, folder := range []string{dir, filepath.Join(dir, "instances")} {
		if err := checkWritable("STORAGE_DIR", folder); err != nil {
			return nil, err
		}
	}
	if info, err := os.Stat(filepath.Join(dir, serveLockName)); err == nil && !info.Mode().IsRegular() {
		return nil, refuse("STORAGE_DIR cannot be locked: %s has to be a file. Move it away.", filepath.Join(dir, serveLockName))
	}
	s := &storage{dir: dir}
	if file, err := engine.ParseFile(c.DBURI); err == nil {
		s.file = file.Path
		if err := checkWritable("DB_URI", filepath.Dir(file.Path)); err != nil {
			return nil, err
		}
		if err := checkNotEmptied(file.Path, dir); err != nil {
			return nil, err
		}
	}
	key := c.SecretKey
	if key == "" {
		if key, err = readKey(dir); err != nil {
			return nil, err
		}
	}
	s.key = key
	return s, nil
}

// checkNotEmptied makes sure that an empty database file is a new one: beside a secret key or
// the folders of numbers, its content was lost, and a new installation in its place would be
// anybody's.
func checkNotEmptied(file, dir string) error {
	if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() || info.Size() > 0 {
		return nil
	}
	_, noKey := os.Stat(filepath.Join(dir, secretKeyName))
	numbers, _ := os.ReadDir(filepath.Join(dir, "instances")) // none, if it cannot be read
	if noKey != nil && len(numbers) == 0 {
		return nil
	}
	return refuse("The database file %s is empty, although %s was used before. Put it back from a backup; to begin anew, move that folder away.", file, dir)
}

// checkWritable makes sure that a folder can be written, or else made in the nearest
// folder above it that exists. It writes nothing.
func checkWritable(name, dir string) error {
	for at := dir; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if errors.Is(err, fs.ErrNotExist) && at != filepath.Dir(at) {
			continue
		}
		if err == nil && !info.IsDir() {
			return refuse("%s needs the folder %s, but %s is a file. Move it away or choose another folder.", name, dir, at)
		}
		if err == nil {
			err = unix.Faccessat(unix.AT_FDCWD, at, unix.W_OK|unix.X_OK, unix.AT_EACCESS)
		}
		if err != nil {
			return refuse("%s needs the folder %s, which cannot be written: %s. Give this user the right to write there, or choose another folder.", name, dir, reasonOf(err))
		}
		return nil
	}
}

// readKey returns the key that an earlier start made in dir, "" if there is none.
func readKey(dir string) (string, error) { return readKeyFile(filepath.Join(dir, secretKeyName)) }

func readKeyFile(path string) (string, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", refuse("The key file cannot be read: %s. Check its permissions.", reasonOf(err))
	}
	key := strings.TrimSpace(string(content))
	if len(key) < minSecretKey {
		return "", refuse("The key file %s is damaged. Put it back from a backup.", path)
	}
	return key, nil
}

// makeKey makes the key of a new installation. In one that was used before, the key is
// missing, and another one could not read what the first has encrypted.
func (s *storage) makeKey(ctx context.Context, again bool) error {
	path := filepath.Join(s.dir, secretKeyName)
	if !again {
		used, err := s.used(ctx)
		if err != nil {
			return err
		}
		if used {
			return refuse("The key file %s is missing. Put it back from a backup; if it is lost, start once with --new-secret-key, and enter again what was encrypted with it.", path)
		}
	}
	key := hex.EncodeToString(random())
	if err := writeOnce(path, key+"\n"); err != nil {
		return refuse("The key file cannot be written: %s.", reasonOf(err))
	}
	s.key = key
	return nil
}

// used reports whether the installation has people or numbers.
func (s *storage) used(ctx context.Context) (bool, error) {
	people, err := s.store.Users(ctx)
	if err != nil {
		return false, fmt.Errorf("read users: %w", err)
	}
	numbers, err := s.store.Instances(ctx)
	if err != nil {
		return false, fmt.Errorf("read instances: %w", err)
	}
	return len(people)+len(numbers) > 0, nil
}

// writeOnce writes a file that only this user may read, whole or not at all, and such that it outlasts a loss of power.
func writeOnce(path, content string) error {
	draft, err := os.CreateTemp(filepath.Dir(path), ".draft-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(draft.Name())
	if _, err = draft.WriteString(content); err == nil {
		err = draft.Sync()
	}
	if err := errors.Join(err, draft.Close()); err != nil {
		return err
	}
	if err := os.Rename(draft.Name(), path); err != nil {
		return err
	}
	return engine.SyncFolder(filepath.Dir(path))
}

// lock makes sure that one serve at a time works with a storage folder and, as far as it is
// a file, a control database: two supervisors would fight over the same workers. The kernel
// gives the locks back when the process ends.
func (s *storage) lock(ctx context.Context) (release func(), err error) {
	if release, err = s.hold(); err != nil {
		return nil, err
	}
	if err := s.checkKey(ctx, false); err != nil { // it may have been rotated by who had the lock
		release()
		return nil, err
	}
	return release, nil
}

// hold is lock for who settles which key counts.
func (s *storage) hold() (release func(), err error) {
	folder, err := flockSoon(filepath.Join(s.dir, serveLockName), os.O_CREATE, "STORAGE_DIR", "storage folder "+s.dir)
	if err == nil {
		// Only doctor reads it, and does without it.
		_ = os.WriteFile(filepath.Join(s.dir, serveLockName), []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600)
	}
	if err != nil || s.file == "" {
		return folder, err
	}
	database, err := lockDatabase(s.file, os.O_CREATE)
	if err != nil {
		folder()
		return nil, err
	}
	return func() { database(); folder() }, nil
}

// checkFree makes sure that no other serve works with the control database, and changes
// nothing, so that it can be asked before anything is made.
func checkFree(c config) error {
	file, err := engine.ParseFile(c.DBURI)
	if err != nil {
		return nil
	}
	release, err := lockDatabase(file.Path, 0)
	if _, refused := errors.AsType[*refusal](err); refused {
		return err
	}
	if err == nil {
		release()
	}
	return nil // what else is wrong, whoever opens it tells
}

// lockDatabase locks a file beside the database: SQLite's own locks would not survive another
// descriptor on the database itself. flags are more flags for opening it.
func lockDatabase(file string, flags int) (release func(), err error) {
	path, err := filepath.EvalSymlinks(file) // two paths may lead to one file
	if err != nil {
		return nil, err
	}
	return flockSoon(path+".lock", flags, "DB_URI", "control database "+file)
}

// flockSoon is flock that waits a moment for a serve that was killed: a worker that it was just
// starting has its locks until it has become another program.
func flockSoon(path string, flags int, variable, what string) (release func(), err error) {
	const patience, pause = time.Second, 20 * time.Millisecond
	for end := time.Now().Add(patience); ; time.Sleep(pause) {
		release, err = flock(path, flags, variable, what)
		if _, refused := errors.AsType[*refusal](err); !refused || time.Now().After(end) {
			return release, err
		}
	}
}

// flock locks the file at path, for what a variable names.
func flock(path string, flags int, variable, what string) (release func(), err error) {
	file, err := os.OpenFile(path, os.O_RDWR|flags, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, refuse("%s cannot be locked: %s.", variable, reasonOf(err))
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		return nil, refuse("Another Switchboard works with the %s. Stop that one, or give this one a STORAGE_DIR and a DB_URI of its own.", what)
	}
	return func() { _ = file.Close() }, nil
}
