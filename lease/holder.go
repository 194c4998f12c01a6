package lease

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// holderName is the file in a number's folder that makes it a holder.
const holderName = "holder"

// Holder returns the name under which the worker of a number's folder takes the lease, and
// makes it up at the first time. Who holds the lock on the folder may take a lease over that
// has this name: the process that took it cannot run any more. A copy of the folder on
// another host has another name.
func Holder(dir string) (string, error) {
	path := filepath.Join(dir, holderName)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(text) == 0 { // a machine may break down in between
		text = []byte(rand.Text())
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		return "", fmt.Errorf("name holder of lease: %w", err)
	}
	var info syscall.Stat_t
	if err := syscall.Stat(path, &info); err != nil {
		return "", fmt.Errorf("name holder of lease: %w", err)
	}
	return fmt.Sprintf("%s-%d", strings.TrimSpace(string(text)), info.Ino), nil
}
