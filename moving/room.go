package moving

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"switchboard/archive"
	"switchboard/engine"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/tables"
)

// room looks at a backup that is read for the first time: whether its files are those that its
// messages know, and whether there is room for what is going to be restored. It ends the
// reading as soon as there is not, however much may be in the file.
type room struct {
	o        RestoreOptions
	free     int64 // on the disk
	all      int64 // limit of the folder of a number that has none of its own, 0 for none
	database bool  // databases are in that folder

	number   string
	main     *listing
	limit    int64 // of its folder
	size     int64 // of the number
	together int64 // of all numbers
}

func (in Installation) room(o RestoreOptions) (*room, error) {
	free, err := freeOn(in.Dir)
	if err != nil {
		return nil, err
	}
	_, name := in.Store.Database()
	return &room{o: o, free: free, all: in.DiskLimit, database: name == engine.SQLite}, nil
}

// reserve is left on a disk: numbers that run store their messages there.
const reserve = 64 << 20

// freeOn returns how many bytes can be written to the disk of a folder.
func freeOn(dir string) (int64, error) {
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil {
		return 0, fmt.Errorf("look for room on the disk of %s: %w", dir, err)
	}
	return max(int64(disk.Bavail)*disk.Bsize-reserve, 0), nil
}

// Fits makes sure that there is room in a folder for the files of numbers that are backed up
// into it; see BackupOptions.
func Fits(dir string) func(id instances.ID, bytes int64) error {
	return func(id instances.ID, bytes int64) error {
		return fits(dir, bytes, fmt.Sprintf("in %s for a backup of %s", dir, id), "Make room, or leave them out (--without-media).")
	}
}

func fits(dir string, bytes int64, what, next string) error {
	free, err := freeOn(dir)
	if err == nil && bytes > free {
		err = fault.New(fault.Unavailable, fmt.Sprintf(
			"There is no room %s: its pictures and files have %d MiB, and %d MiB are free. %s", what, bytes>>20, free>>20, next))
	}
	return err
}

// look reads a section.
func (r *room) look(ctx context.Context, s archive.Section) error {
	switch {
	case s.Number != nil:
		set, err := settingsIn(s.Number.Settings)
		r.number, r.main, r.limit, r.size = s.Number.ID, nil, cmp.Or(set.Limits.Disk, r.all), 0
		return err
	case s.Database != nil:
		r.main = listed(s.Database)
		if err := r.main.Each(ctx, func(tables.Table, []any) error { return nil }); err != nil {
			return err
		}
		if r.database {
			return r.need(s.Database.Bytes)
		}
	case s.Files != nil:
		if r.main == nil {
			return fault.Wrap(fault.Invalid, "The backup is damaged or incomplete; use another one.", fmt.Errorf("%w: files without messages", archive.ErrDamaged))
		}
		if !r.o.WithoutMedia {
			if err := r.need(s.Files.Bytes); err != nil {
				return err
			}
		}
		return s.Files.Each(ctx, func(f archive.File, _ io.Reader) error { return r.main.take(f) })
	}
	return nil
}

// need makes sure that there is room for so much more of the number.
func (r *room) need(bytes int64) error {
	if r.o.Only != "" && string(r.o.Only) != r.number {
		return nil
	}
	r.size, r.together = r.size+bytes, r.together+bytes
	switch {
	case r.size < 0 || r.together < 0 || r.together > r.free:
		return fault.New(fault.Unavailable, fmt.Sprintf(
			"There is no room for this backup: with %s it needs %d MiB and more, and %d MiB are free on the disk of the storage folder. Make room, or restore it without its pictures and files.",
			r.number, r.together>>20, r.free>>20))
	case r.limit > 0 && r.size > r.limit:
		return fault.New(fault.Unavailable, fmt.Sprintf(
			"The number %s has %d MiB in this backup, and may have %d MiB here. Raise WORKER_DISK_LIMIT, or restore it without its pictures and files.",
			r.number, r.size>>20, r.limit>>20))
	}
	return nil
}
