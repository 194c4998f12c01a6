package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// short calls use with a path to name in dir that fits the 108 bytes of a unix socket
// address, however long dir is: it leads through a descriptor of dir, which is open until
// use returns.
func short(dir, name string, use func(path string) error) error {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open folder of control socket: %w", err)
	}
	defer unix.Close(fd)
	return use(fmt.Sprintf("/proc/self/fd/%d/%s", fd, name))
}

// Listen makes the control socket in an instance's folder and listens on it. It replaces
// a socket that was left behind: the caller holds the lock of the instance. The length of
// dir does not matter.
func Listen(dir string) (net.Listener, error) {
	if err := os.Remove(filepath.Join(dir, SocketName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove old control socket: %w", err)
	}
	var l *net.UnixListener
	err := short(dir, SocketName, func(path string) (err error) {
		if l, err = net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"}); err != nil {
			return err
		}
		// The path ends with the descriptor in it, so the listener must not unlink it.
		l.SetUnlinkOnClose(false)
		if err = os.Chmod(path, 0o600); err != nil {
			l.Close()
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listen on control socket: %w", err)
	}
	return l, nil
}

// connect opens a connection to socket. The process that listens has to be that one: the token
// is not for anybody else.
func connect(ctx context.Context, socket string, pid int) (net.Conn, error) {
	var conn net.Conn
	dir, name := filepath.Split(socket)
	err := short(filepath.Clean(dir), name, func(path string) (err error) {
		var d net.Dialer
		conn, err = d.DialContext(ctx, "unix", path)
		return err
	})
	if err != nil {
		return nil, err
	}
	cred, err := peer(conn)
	if err == nil && int(cred.Pid) != pid {
		err = fmt.Errorf("process %d answers on the control socket of process %d", cred.Pid, pid)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// peer returns the credentials of the process at the other end, as the kernel recorded
// them.
func peer(conn net.Conn) (*unix.Ucred, error) {
	u, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, errors.New("not a unix socket")
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return nil, err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return nil, err
	}
	return cred, credErr
}

// guarded lets only processes of the same user, and root, connect.
type guarded struct{ net.Listener }

func (g guarded) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		cred, err := peer(conn)
		if err == nil && (cred.Uid == 0 || int(cred.Uid) == os.Geteuid()) {
			return conn, nil
		}
		conn.Close()
	}
}
