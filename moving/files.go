package moving

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"switchboard/archive"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/isolation"
	kept "switchboard/messages"
	"switchboard/tables"
)

// The folders of a number, below its own, whose files go with it.
const (
	mediaFolder = "media" // pictures and files of messages
	queueFolder = "queue" // files that wait to be sent
)

// name is where a file lies below the number's folder.
type name struct{ folder, file string }

func (n name) path() string { return path.Join(n.folder, n.file) }

// listing is the main database of a number. While its rows are read, it notes the files that
// they say are in the number's folder.
type listing struct {
	tables.Content
	files map[name]bool // whether each was taken
}

func listed(c tables.Content) *listing { return &listing{c, map[name]bool{}} }

// Each is that of the content.
func (l *listing) Each(ctx context.Context, do func(t tables.Table, row []any) error) error {
	return l.Content.Each(ctx, func(t tables.Table, row []any) error {
		l.note(t, row)
		return do(t, row)
	})
}

func (l *listing) note(t tables.Table, row []any) {
	text := func(column string) string {
		i := slices.IndexFunc(t.Columns, func(c tables.Column) bool { return c.Name == column })
		if i < 0 {
			return ""
		}
		s, _ := row[i].(string)
		return s
	}
	switch t.Name {
	case "media":
		if text("state") == string(kept.Stored) && text("place") == "" {
			l.add(name{mediaFolder, text("file")})
		}
	case "sends":
		var files map[string]struct {
			Stored string `json:"stored"`
		}
		if all := text("files"); all != "" && json.Unmarshal([]byte(all), &files) == nil {
			for _, f := range files {
				l.add(name{queueFolder, f.Stored})
			}
		}
	}
}

// add notes a file. A name that is more than a name was not made by this program: whoever
// wrote it there has no business elsewhere.
func (l *listing) add(n name) {
	if (archive.File{Folder: n.folder, Name: n.file}).Plain() {
		l.files[n] = false
	}
}

// take makes sure that a file of a backup is one that its messages know, and comes once.
func (l *listing) take(f archive.File) error {
	n := name{f.Folder, f.Name}
	if taken, known := l.files[n]; taken || !known {
		return fault.Wrap(fault.Invalid, "This backup holds a file that no message in it knows; use another one.",
			fmt.Errorf("%w: file %q", archive.ErrDamaged, n.path()))
	}
	l.files[n] = true
	return nil
}

func (l *listing) sorted() []name {
	return slices.SortedFunc(maps.Keys(l.files), func(a, b name) int {
		return cmp.Or(cmp.Compare(a.folder, b.folder), cmp.Compare(a.file, b.file))
	})
}

// path is where the folder of a number is.
func (in Installation) path(id instances.ID) string {
	return filepath.Join(in.Dir, "instances", string(id))
}

// folder opens the folder of a number; nil if there is none. Nothing leads out of it: what is in it
// is the number's own work.
func (in Installation) folder(id instances.ID) (*os.Root, error) {
	root, err := os.OpenRoot(in.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("open folder of %s: %w", id, err)
	}
	return root, nil
}

// regular returns the size of a file, false if there is none. root may be nil.
func regular(root *os.Root, n name) (int64, bool) {
	if root == nil {
		return 0, false
	}
	info, err := root.Lstat(n.path())
	if err != nil || !info.Mode().IsRegular() {
		return 0, false
	}
	return info.Size(), true
}

// opened opens a file that still is what it was when it was announced, nil if it is gone.
func opened(root *os.Root, n name, size int64) *os.File {
	if now, there := regular(root, n); !there || now != size {
		return nil
	}
	// Should something else be in its place by now, it does not keep us waiting.
	file, err := root.OpenFile(n.path(), os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() != size {
		_ = file.Close()
		return nil
	}
	return file
}

// Count says how many files there are, or were copied.
type Count struct {
	Files int
	Bytes int64
	Gone  int // known as being there, and not found or not readable
}

func (c *Count) add(more Count) {
	c.Files, c.Bytes, c.Gone = c.Files+more.Files, c.Bytes+more.Bytes, c.Gone+more.Gone
}

// writeFiles writes the files that a number's database lists. A file comes into its folder
// whole, by being renamed, and is never changed; one that has gone since the database was read
// is left out.
func (in Installation) writeFiles(ctx context.Context, w *archive.Writer, id instances.ID, l *listing, o BackupOptions, told func(Count)) (Count, error) {
	ahead, sizes := archive.FilesAhead{Without: o.WithoutMedia}, map[name]int64{}
	var count Count
	root, err := in.folder(id)
	if err != nil {
		return count, err
	}
	if root != nil {
		defer func() { _ = root.Close() }()
	}
	all := l.sorted()
	for _, n := range all {
		if o.WithoutMedia && n.folder == mediaFolder {
			continue
		}
		size, there := regular(root, n)
		if !there {
			count.Gone++
			continue
		}
		sizes[n] = size
		ahead.Count, ahead.Bytes = ahead.Count+1, ahead.Bytes+size
	}
	if o.Fits != nil {
		if err := o.Fits(id, ahead.Bytes); err != nil {
			return count, err
		}
	}
	err = w.Files(ahead, func(add func(archive.File, io.Reader) (bool, error)) error {
		for _, n := range all {
			size, announced := sizes[n]
			if !announced {
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			file := opened(root, n, size)
			if file == nil {
				count.Gone++
				continue
			}
			whole, err := add(archive.File{Folder: n.folder, Name: n.file, Size: size}, reading{ctx, file})
			_ = file.Close()
			switch {
			case err != nil:
				return err
			case ctx.Err() != nil:
				return ctx.Err()
			case whole:
				count.Files, count.Bytes = count.Files+1, count.Bytes+size
			default:
				count.Gone++
			}
			told(count)
		}
		return nil
	})
	return count, err
}

// reading ends with its context.
type reading struct {
	ctx context.Context
	io.Reader
}

func (r reading) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// readFiles writes the files of a backup into the folder of a number that does not run. All of
// it counts when the number's record does, and is on the disk by then.
func readFiles(ctx context.Context, root *os.Root, from *archive.Files, l *listing, withoutMedia bool, told func(Count)) error {
	var count Count
	return from.Each(ctx, func(f archive.File, content io.Reader) error {
		if err := l.take(f); err != nil {
			return err
		}
		if withoutMedia && f.Folder == mediaFolder {
			return nil
		}
		err := place(root, name{f.Folder, f.Name}, content)
		switch {
		case errors.Is(err, archive.ErrBroken):
			count.Gone++
		case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
			return fault.Wrap(fault.Unavailable, "The disk of the storage folder is full. Make room, or restore the number without its pictures and files.", err)
		case err != nil:
			return err
		default:
			count.Files, count.Bytes = count.Files+1, count.Bytes+f.Size
		}
		told(count)
		return nil
	})
}

// place writes one file, in the place of whatever there is.
func place(root *os.Root, n name, content io.Reader) error {
	if err := root.MkdirAll(n.folder, 0o700); err != nil {
		return err
	}
	if err := root.RemoveAll(n.path()); err != nil {
		return err
	}
	file, err := root.OpenFile(n.path(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, root.Remove(n.path()))
	}
	return nil
}

// settleFiles makes the folder and the database of a number agree: what the database does not
// list goes from the folder, and of what is not there it says that it is with WhatsApp.
func (in Installation) settleFiles(ctx context.Context, root *os.Root, l *listing, access instances.Access) error {
	for _, folder := range []string{mediaFolder, queueFolder} {
		there, err := fs.ReadDir(root.FS(), folder)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, entry := range there {
			if _, known := l.files[name{folder, entry.Name()}]; !known {
				if err := root.RemoveAll(path.Join(folder, entry.Name())); err != nil {
					return err
				}
			}
		}
	}
	var gone []string
	for n := range l.files {
		if _, there := regular(root, n); !there && n.folder == mediaFolder {
			gone = append(gone, n.file)
		}
	}
	if len(gone) > 0 {
		db, err := isolation.OpenMain(ctx, access)
		if err != nil {
			return err
		}
		if err := errors.Join(kept.New(db).LeaveMedia(ctx, gone), db.Close()); err != nil {
			return err
		}
	}
	return flush(root)
}

// flush waits until everything is on the disk.
func flush(root *os.Root) error {
	dir, err := root.Open(".")
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	return unix.Syncfs(int(dir.Fd()))
}

// removeFiles removes the files of a number that could not be brought in.
func removeFiles(root *os.Root) error {
	return errors.Join(root.RemoveAll(mediaFolder), root.RemoveAll(queueFolder))
}

// copyFiles copies the files of a number into another storage folder.
func copyFiles(ctx context.Context, from, to *os.Root, l *listing) error {
	for n := range l.files {
		size, there := regular(from, n)
		if !there {
			continue
		}
		file := opened(from, n, size)
		if file == nil {
			return fmt.Errorf("file %s cannot be read", n.path())
		}
		err := errors.Join(place(to, n, reading{ctx, file}), file.Close())
		if err != nil {
			return err
		}
	}
	return nil
}
