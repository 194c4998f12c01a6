package engine

import (
	"fmt"
	"os"
	"path/filepath"
)

// Create makes an empty database file, readable by this user alone, and the folders above
// it, if they do not exist. It never touches a file that does.
func (f File) Create() error {
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o700); err != nil {
		return f.refused("cannot be made, because its folder cannot; check who may write there", err)
	}
	file, err := os.OpenFile(f.Path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if os.IsExist(err) {
		return nil
	} else if err != nil {
		return f.refused("cannot be made; check that this user may write to its folder", err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("make %s: %w", f.Path, err)
	}
	return nil
}
