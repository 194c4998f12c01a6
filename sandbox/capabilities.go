package sandbox

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/psx"
)

// needed are the capabilities with which root gets at files of another user in its own folder,
// and listens at low ports.
const needed = 1<<unix.CAP_CHOWN | 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_FOWNER | 1<<unix.CAP_NET_BIND_SERVICE

// renounce takes all other capabilities from the process: with those of root it could listen to
// everything on the network, load code into the kernel, or end other processes, none of which
// Landlock looks at.
func renounce() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var now, left [2]unix.CapUserData
	if err := unix.Capget(&header, &now[0]); err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	if (now[0].Effective|now[0].Permitted)&^needed == 0 && now[1].Effective|now[1].Permitted == 0 {
		return nil // and a filter of system calls that knows no capset is no hindrance
	}
	left[0].Effective, left[0].Permitted = now[0].Effective&needed, now[0].Permitted&needed
	//nolint:gosec // the kernel takes pointers, and psx keeps what they point to in place
	_, _, errno := psx.Syscall3(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&left)), 0)
	if errno != 0 {
		return fmt.Errorf("renounce capabilities: %w", errno)
	}
	return nil
}
