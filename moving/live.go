package moving

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"switchboard/archive"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/tables"
)

// Live backs up and restores single numbers of an installation whose panel runs. One is restored
// at a time, and one passphrase is tried, which costs 256 MB of memory; somebody who takes hours
// to download a backup keeps nobody waiting. It is safe for concurrent use.
type Live struct {
	In   Installation
	Kept Deleted
	// Take tells the panel's supervisor about a number that was brought in.
	Take func(ctx context.Context, id instances.ID) error

	receiving, busy sync.Mutex
}

// MinPassphrase is the least number of characters of the passphrase of a new backup.
const MinPassphrase = 12

// NewKey is the key of a new backup, or a fault with Field "passphrase".
func NewKey(passphrase string) (archive.Key, error) {
	if utf8.RuneCountInString(passphrase) < MinPassphrase {
		return archive.Key{}, fault.InField("passphrase", fmt.Sprintf(
			"Use at least %d characters. Whoever has the file and guesses them has the number.", MinPassphrase))
	}
	return archive.Passphrase(passphrase), nil
}

func (l *Live) begin() (end func(), err error) {
	if !l.busy.TryLock() {
		return nil, fault.New(fault.Unavailable, "Another backup is being written or restored. Please try again when it is done.")
	}
	return l.busy.Unlock, nil
}

// Backup writes a number into w, encrypted, beside its worker or without it. An error may come
// after a part was written.
func (l *Live) Backup(ctx context.Context, w io.Writer, id instances.ID, key archive.Key, withoutMedia bool) error {
	end, err := l.begin()
	if err != nil {
		return err
	}
	a, err := archive.NewWriter(w, key, archive.Header{Program: l.Kept.Program, CreatedAt: time.Now().UTC()})
	end()
	if err != nil {
		return err
	}
	if _, err := l.In.BackupNumber(ctx, a, id, BackupOptions{WithoutMedia: withoutMedia, Told: func(Step) {}}); err != nil {
		return err
	}
	return a.Close()
}

// Restore brings one number of a backup in, and has the panel take it. What was wrong with
// the backup, or stands against it, is a fault, and then nothing was changed. only may be ""
// when the backup holds a single number, and name to keep the one it had; pictures and files of messages
// can be left out.
func (l *Live) Restore(ctx context.Context, backup io.Reader, key archive.Key, only instances.ID, name string, withoutMedia bool) (instances.ID, error) {
	if !l.receiving.TryLock() {
		return "", fault.New(fault.Unavailable, "Another backup is being uploaded. Please try again when it is done.")
	}
	defer l.receiving.Unlock()
	// It has to be read twice. On the disk it is as encrypted as on its way; what a
	// killed process leaves, the next start removes.
	dir, err := os.MkdirTemp(l.In.Dir, tables.ScratchPattern)
	if err != nil {
		return "", noRoom(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file, err := os.Create(filepath.Join(dir, "upload")) // in a folder of mode 0700
	if err != nil {
		return "", noRoom(err)
	}
	defer file.Close()
	if _, err := io.Copy(file, backup); err != nil {
		return "", noRoom(err)
	}
	return l.restore(ctx, file, key, RestoreOptions{Only: only, Name: name, WithoutMedia: withoutMedia, Beside: true})
}

// noRoom tells apart what is wrong with our disk, and with what is read.
func noRoom(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, os.ErrPermission) {
		return fault.Wrap(fault.Unavailable, "The backup cannot be kept while it is read; make room on the disk of the storage folder.", err)
	}
	return fmt.Errorf("keep backup while it is read: %w", err)
}

// BringBack restores a number from its last backup, name being that of one of Kept.List's files;
// pictures and files of messages can be left out.
func (l *Live) BringBack(ctx context.Context, name string, withoutMedia bool) (instances.ID, error) {
	k, err := l.kept(name)
	if err != nil {
		return "", err
	}
	file, err := os.Open(k.Path)
	if err != nil {
		return "", fmt.Errorf("open last backup: %w", err)
	}
	defer file.Close()
	return l.restore(ctx, file, l.Kept.Key, RestoreOptions{Only: k.ID, WithoutMedia: withoutMedia, Beside: true})
}

// Forget removes a last backup for good.
func (l *Live) Forget(name string) error {
	k, err := l.kept(name)
	if err != nil {
		return err
	}
	if err := os.Remove(k.Path); err != nil {
		return fmt.Errorf("remove last backup: %w", err)
	}
	return nil
}

func (l *Live) kept(name string) (Kept, error) {
	all, err := l.Kept.List()
	if err != nil {
		return Kept{}, err
	}
	i := slices.IndexFunc(all, func(k Kept) bool { return filepath.Base(k.Path) == name })
	if i < 0 {
		return Kept{}, fault.New(fault.NotFound, "This last backup is not kept any more.")
	}
	return all[i], nil
}

func (l *Live) restore(ctx context.Context, file io.ReadSeeker, key archive.Key, o RestoreOptions) (instances.ID, error) {
	end, err := l.begin()
	if err != nil {
		return "", err
	}
	defer end()
	open := func() (*archive.Reader, error) {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return nil, fmt.Errorf("read backup again: %w", err)
		}
		return archive.NewReader(file, key)
	}
	restored, err := l.In.Restore(ctx, open, o, func(Step) {})
	if err != nil {
		return "", err
	}
	id := restored[0].ID
	// It is there now, whatever becomes of the request.
	return id, l.Take(context.WithoutCancel(ctx), id)
}
