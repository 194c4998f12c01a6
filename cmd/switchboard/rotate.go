package main

import (
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"switchboard/archive"
	"switchboard/auth"
	"switchboard/engine"
	"switchboard/secrets"
	"switchboard/settings"
)

const (
	nextKeyName  = secretKeyName + ".next" // of a rotation that is under way
	nextSuffix   = ".next"                 // of a last backup under the next key
	probePurpose = "probe"                 // of what tells the right secret key
)

// purposes of what the tables keep sealed. Names in sealed_keys have purposes of their own.
func purposeOf(table, name string) string {
	switch table {
	case "database_passwords":
		return passwordsPurpose
	case "settings":
		return settings.Purpose
	case "totp":
		return auth.BoxPurpose
	case "secret_key":
		return probePurpose
	}
	return map[string]string{auditKeyName: auditPurpose}[name]
}

// rotateKey puts a new secret key in place of the present one. Killed at any moment, the
// installation is under one key or the other, and the next start tells which.
func rotateKey(ctx context.Context, env environment, args []string) error {
	var file string
	c, err := loadConfig("rotate-key", args, env, func(f *flag.FlagSet) {
		f.StringVar(&file, "new-key-file", "", "`file` that holds the new key, where SECRET_KEY is not kept in STORAGE_DIR")
	})
	if err != nil {
		return err
	}
	if err := mustBeThere(c); err != nil {
		return err
	}
	if (c.SecretKey != "") != (file != "") {
		return refuse("--new-key-file is for installations that are given SECRET_KEY, and needed there. Without one, the key in STORAGE_DIR is replaced.")
	}
	s, err := openStorage(ctx, c, false)
	if err != nil {
		return err
	}
	defer s.Close()
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()

	var next string
	if file != "" {
		if next, err = readSecret(file); err != nil {
			return refuse("--new-key-file %s", sentence(err))
		}
		if len(next) < minSecretKey {
			return refuse("The new key is shorter than %d characters. Make one with: openssl rand -hex 32", minSecretKey)
		}
	} else {
		next = hex.EncodeToString(random())
		if err := writeOnce(filepath.Join(s.dir, nextKeyName), next+"\n"); err != nil {
			return refuse("The new key cannot be written: %s.", reasonOf(err))
		}
	}
	if err := s.rotate(ctx, next); err != nil {
		return errors.Join(err, s.settle(ctx))
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	s.key = next
	s.record(ctx, newLog(env.stderr, c.LogLevel), nil, func() (string, string) { return "key.rotate", "" })
	if file != "" {
		fmt.Fprintln(env.stdout, "Everything is sealed with the new key. Set SECRET_KEY to it before the next start.")
		return nil
	}
	fmt.Fprintf(env.stdout, "Everything is sealed with a new key, which is in %s. Keep a copy of it.\n", filepath.Join(s.dir, secretKeyName))
	return nil
}

// rotate brings everything that is sealed from the present key under next.
func (s *storage) rotate(ctx context.Context, next string) error {
	if err := s.recryptBackups(next); err != nil {
		return err
	}
	return s.store.Reseal(ctx, func(table, name string, sealed []byte) ([]byte, error) {
		purpose := purposeOf(table, name)
		if purpose == "" {
			return nil, fmt.Errorf("nobody knows what the key %q is for", name)
		}
		from, err := secrets.New(s.key, purpose)
		if err != nil {
			return nil, err
		}
		to, err := secrets.New(next, purpose)
		if err != nil {
			return nil, err
		}
		plain, err := from.Open(sealed)
		if err != nil {
			// It came with a backup, or is from before the present key, and nobody could read it until now.
			return sealed, nil //nolint:nilerr // the probe has told that the key is the right one
		}
		return to.Seal(plain), nil
	})
}

// recryptBackups writes each last backup of a deleted number once more, under the next key.
func (s *storage) recryptBackups(next string) error {
	from, err := deletedKey(s.key)
	if err != nil {
		return err
	}
	to, err := deletedKey(next)
	if err != nil {
		return err
	}
	all, err := filepath.Glob(filepath.Join(s.dir, "deleted", "*.backup"))
	if err != nil {
		return err
	}
	for _, path := range all {
		if err := recrypt(path, from, to); err != nil {
			return fmt.Errorf("encrypt %s with the new key: %w", filepath.Base(path), err)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return engine.SyncFolder(filepath.Join(s.dir, "deleted"))
}

func deletedKey(secretKey string) (archive.Key, error) {
	key, err := secrets.Derive(secretKey, deletedPurpose)
	return archive.Random(key), err
}

func recrypt(path string, from, to archive.Key) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(path+nextSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(archive.Recrypt(out, in, from, to), out.Sync(), out.Close())
}

// settle ends a rotation that has come to its end or was broken off: the database tells
// which of the two keys everything is under, the other one goes.
func (s *storage) settle(ctx context.Context) error {
	nextPath := filepath.Join(s.dir, nextKeyName)
	next, err := readKeyFile(nextPath)
	if err != nil {
		return err
	}
	if next != "" {
		under, err := s.under(ctx, next)
		if err != nil {
			return err
		}
		if under {
			// A loss of power must not take back the new seals when the old key is gone.
			if s.file != "" {
				if err := engine.At(s.file).Sync(); err != nil {
					return err
				}
			}
			if err := os.Rename(nextPath, filepath.Join(s.dir, secretKeyName)); err != nil {
				return refuse("The new key cannot take the place of the old one: %s.", reasonOf(err))
			}
			s.key = next
		} else if err := os.Remove(nextPath); err != nil {
			return refuse("The new key of a rotation that was broken off cannot be removed: %s.", reasonOf(err))
		}
	}
	return s.settleBackups(ctx)
}

// settleBackups puts last backups under the next key in their place, or removes them, as the
// database is under that key or not.
func (s *storage) settleBackups(ctx context.Context) error {
	all, err := filepath.Glob(filepath.Join(s.dir, "deleted", "*.backup"+nextSuffix))
	if err != nil || len(all) == 0 {
		return err
	}
	under, err := s.under(ctx, s.key)
	if err != nil || !under {
		return err // SECRET_KEY is not the one that the database is under; whoever opens it is told
	}
	key, err := deletedKey(s.key)
	if err != nil {
		return err
	}
	for _, path := range all {
		if opens(path, key) {
			err = errors.Join(err, os.Rename(path, path[:len(path)-len(nextSuffix)]))
		} else {
			err = errors.Join(err, os.Remove(path))
		}
	}
	return err
}

func opens(path string, key archive.Key) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	_, err = archive.NewReader(file, key)
	return err == nil
}

// under tells whether the database is sealed with that secret key.
func (s *storage) under(ctx context.Context, key string) (bool, error) {
	sealed, err := s.store.Probe(ctx)
	purpose := probePurpose
	if err == nil && sealed == nil { // it was last started before there was a probe
		sealed, err = s.store.SealedKey(ctx, auditKeyName)
		purpose = auditPurpose
	}
	if err != nil || sealed == nil {
		return key == s.key, err // nothing is sealed yet
	}
	box, err := secrets.New(key, purpose)
	if err != nil {
		return false, err
	}
	_, err = box.Open(sealed)
	return err == nil, nil
}

// finishRotation settles a rotation that was broken off, unless one is under way.
func (s *storage) finishRotation(ctx context.Context) error {
	_, noKey := os.Stat(filepath.Join(s.dir, nextKeyName))
	left, err := filepath.Glob(filepath.Join(s.dir, "deleted", "*.backup"+nextSuffix))
	if err != nil || noKey != nil && len(left) == 0 {
		return err
	}
	unlock, err := s.hold()
	if err != nil {
		return nil //nolint:nilerr // whoever holds the lock settles it
	}
	defer unlock()
	return s.settle(ctx)
}
