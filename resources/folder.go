package resources

import (
	"io/fs"
	"path/filepath"
)

// FolderSize is what the files in dir take, in bytes. Those that come and go meanwhile do not
// matter.
func FolderSize(dir string) (total int64) {
	_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			if info, err := entry.Info(); err == nil {
				total += info.Size()
			}
		}
		return nil
	})
	return total
}
