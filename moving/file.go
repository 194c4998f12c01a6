package moving

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"switchboard/engine"
	"switchboard/fault"
)

const draftPattern = ".backup-*"

// WriteFile makes a file that only this user may read, whole or not at all. One that exists
// is a fault.Conflict and stays.
func WriteFile(path string, write func(*os.File) error) (err error) {
	cannot := func(err error) error {
		return fault.Wrap(fault.Unavailable, fmt.Sprintf("The backup cannot be written to %s; check the folder, who may write there, and the space on the disk.", path), err)
	}
	draft, err := os.CreateTemp(filepath.Dir(path), draftPattern) // mode 0600
	if err != nil {
		return cannot(err)
	}
	defer func() { _ = os.Remove(draft.Name()) }()
	if err := errors.Join(write(draft), draft.Sync(), draft.Close()); err != nil {
		var failed *fs.PathError
		if errors.As(err, &failed) && failed.Path == draft.Name() {
			return cannot(err)
		}
		return err
	}
	// Unlike a renaming, this never replaces a file.
	if err := os.Link(draft.Name(), path); errors.Is(err, os.ErrExist) {
		return fault.Wrap(fault.Conflict, fmt.Sprintf("There is already a file %s; choose another name.", path), err)
	} else if err != nil {
		return cannot(err)
	}
	if err := engine.SyncFolder(filepath.Dir(path)); err != nil {
		return cannot(err)
	}
	return nil
}
