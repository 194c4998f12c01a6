package moving

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"switchboard/archive"
	"switchboard/engine"
	"switchboard/instances"
	kept "switchboard/messages"
)

// Deleted keeps the last backups of numbers that were deleted or replaced, for a while.
type Deleted struct {
	Dir     string        // <STORAGE_DIR>/deleted
	Key     archive.Key   // of the installation: nobody is there to give a passphrase
	Program string        // version
	For     time.Duration // how long they are kept; 0: none are made
}

// Kept is one of these backups.
type Kept struct {
	ID    instances.ID
	At    time.Time
	Until time.Time
	Path  string
	Bytes int64
}

const (
	keptTime   = "20060102T150405.000Z"
	keptSuffix = ".backup"
)

// Keep writes the backup of a number that is about to be removed, and returns its path. One
// that was never paired needs none, nor does one of which a part is gone, because its removal
// had begun before; a damaged or emptied one cannot be read. Then the path is "". A removal
// that goes on after a crash finds the backup that it had made.
//
// Nothing of the number is touched: until the backup is whole, the number is what there is.
// Where the disk has no room for both, that is a fault.Unavailable.
func (d Deleted) Keep(ctx context.Context, in Installation, id instances.ID) (path string, err error) {
	inst, err := in.find(ctx, id)
	if err != nil || d.For == 0 || inst == nil || inst.JID == "" || inst.Reason.KeepsNothing() {
		return "", err
	}
	if complete, err := in.Databases.Complete(ctx, id); err != nil || !complete {
		return "", err
	}
	if inst.Status == instances.Deleting {
		if made, err := d.madeSince(id, inst.Since); err != nil || made != "" {
			return made, err
		}
	}
	if err := os.MkdirAll(d.Dir, 0o700); err != nil {
		return "", fmt.Errorf("make folder for last backups: %w", err)
	}
	now := time.Now().UTC()
	path = filepath.Join(d.Dir, string(id)+"-"+now.Format(keptTime)+keptSuffix)
	err = WriteFile(path, func(f *os.File) error {
		w, err := archive.NewWriter(f, d.Key, archive.Header{Program: d.Program, CreatedAt: now})
		if err != nil {
			return err
		}
		if _, err := in.BackupNumber(ctx, w, id, BackupOptions{Fits: d.fits, Told: func(Step) {}}); err != nil {
			return err
		}
		return w.Close()
	})
	switch {
	case err == nil:
		return path, nil
	case errors.Is(engine.File{}.Fault(err), engine.ErrDamaged), errors.Is(err, engine.ErrDamaged), errors.Is(err, instances.ErrLost):
		return "", nil
	}
	return "", err
}

// Room returns a fault.Unavailable if there is no room for the last backup of a number. Of one
// that cannot be read it says nothing: Keep will.
func (d Deleted) Room(ctx context.Context, in Installation, id instances.ID) error {
	inst, err := in.find(ctx, id)
	if err != nil || d.For == 0 || inst == nil || inst.JID == "" {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second) // whoever deletes waits for it
	defer cancel()
	db, err := in.Databases.ReadMain(ctx, id)
	if err != nil {
		return nil
	}
	defer func() { _ = db.Close() }()
	here, err := kept.New(db).MediaBacklog(ctx)
	if err != nil {
		return nil
	}
	return d.fits(id, here.Bytes)
}

// fits is for BackupOptions.
func (d Deleted) fits(_ instances.ID, bytes int64) error {
	return fits(filepath.Dir(d.Dir), bytes, "for a last backup of this number", // the folder itself is made when it is needed
		"Make room and delete it again, or choose to keep nothing; a backup can be downloaded before.")
}

// madeSince returns the path of a backup of a number that was made at a time or later; "" if
// there is none. While it is being removed, nothing about the number changes.
func (d Deleted) madeSince(id instances.ID, since time.Time) (string, error) {
	all, err := d.List()
	for _, k := range all {
		if k.ID == id && !k.At.Before(since) {
			return k.Path, err
		}
	}
	return "", err
}

// List returns what is kept, the newest first.
func (d Deleted) List() ([]Kept, error) {
	entries, err := os.ReadDir(d.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list last backups: %w", err)
	}
	var all []Kept
	for _, entry := range entries {
		stem, is := strings.CutSuffix(entry.Name(), keptSuffix)
		id, stamp, _ := strings.Cut(stem, "-")
		at, err := time.Parse(keptTime, stamp)
		if !is || err != nil || !instances.ID(id).Valid() {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, fmt.Errorf("list last backups: %w", err)
		}
		all = append(all, Kept{instances.ID(id), at, at.Add(d.For), filepath.Join(d.Dir, entry.Name()), info.Size()})
	}
	slices.SortFunc(all, func(a, b Kept) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.ID, b.ID)) })
	return all, nil
}

// Record returns what is known of the number of a last backup.
func (d Deleted) Record(k Kept) (archive.Number, error) {
	file, err := os.Open(k.Path)
	if err != nil {
		return archive.Number{}, fmt.Errorf("open last backup: %w", err)
	}
	defer file.Close()
	r, err := archive.NewReader(file, d.Key)
	if err != nil {
		return archive.Number{}, err
	}
	first, err := r.Next()
	if err != nil {
		return archive.Number{}, err
	}
	if first.Number == nil {
		return archive.Number{}, fmt.Errorf("read last backup: no number")
	}
	return *first.Number, nil
}

// Sweep removes what a killed process left half-written, which may be gigabytes. Nobody else
// makes a last backup meanwhile: the installation's lock is held.
func (d Deleted) Sweep() error {
	drafts, err := filepath.Glob(filepath.Join(d.Dir, draftPattern))
	for _, draft := range drafts {
		err = errors.Join(err, os.Remove(draft))
	}
	return err
}

// Prune removes what was kept for long enough.
func (d Deleted) Prune() error {
	all, err := d.List()
	if err != nil {
		return err
	}
	for _, k := range all {
		if time.Now().After(k.Until) {
			err = errors.Join(err, os.Remove(k.Path))
		}
	}
	return err
}
