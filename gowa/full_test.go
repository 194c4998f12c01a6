package gowa

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A disk without room for a file is not the fault of whoever sends it.
func TestAFileThatTheDiskHasNoRoomFor(t *testing.T) { // not parallel: TMPDIR is the process's
	if os.Geteuid() != 0 {
		t.Skip("only root can make a small disk")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "size=64k"); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	t.Setenv("TMPDIR", dir)
	r := post("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\n\r\n"+strings.Repeat("x", 1<<20)+"\r\n--x--")
	r.URL.Path = "/send/image"
	if status, out := call(t, &fakeNumber{}, r); status != http.StatusInternalServerError || !strings.Contains(out.Message, "no room left") {
		t.Errorf("%d %s", status, out.Message)
	}
}
