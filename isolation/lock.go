package isolation

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"switchboard/fault"
)

// Lock takes the lock on an instance's folder, so that no second worker can hold the same
// number, and returns what gives it back. The kernel gives it back when the process ends,
// however it ends. A lock that another holds is a fault that wraps ErrLocked; Lock never
// waits.
func Lock(dir string) (release func(), err error) {
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable,
			fmt.Sprintf("The folder %s cannot be locked; check that it exists and who may write there.", dir),
			fmt.Errorf("%w: %w", ErrRefused, err))
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fault.Wrap(fault.Unavailable, "Another worker holds this number; stop that one first.", ErrLocked)
		}
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return func() { _ = file.Close() }, nil
}
