//go:build !race

package whatsapp

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/messages"
)

// smallDisk is a number on a disk that can be filled and freed.
type smallDisk struct {
	place      *place
	fill, free func()
}

// newSmallDisk mounts a file system of its own. Where that is not allowed, the databases are
// kept from growing instead, which SQLite reports in the same way.
func newSmallDisk(t *testing.T) smallDisk {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "size=40m"); err != nil {
		t.Log("no file system can be mounted, the databases are limited instead:", err)
		p := newPlaceIn(t, dir)
		limit := func(pages string) func() {
			return func() {
				for _, db := range []interface{ SetMaxOpenConns(int) }{p.main, p.keys} {
					db.SetMaxOpenConns(1) // what follows is a setting of the connection
				}
				for _, statement := range []string{`PRAGMA wal_checkpoint(TRUNCATE)`, `PRAGMA max_page_count = ` + pages} {
					if _, err := p.main.Exec(statement); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		return smallDisk{p, limit("1"), limit("1073741823")} // never less than there are
	}
	p := newPlaceIn(t, dir)
	t.Cleanup(func() {
		p.main.Close()
		p.keys.Close()
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	filler := filepath.Join(dir, "filler")
	return smallDisk{p, func() {
		file, err := os.Create(filler)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		for block := make([]byte, 4096); ; {
			if _, err := file.Write(block); errors.Is(err, syscall.ENOSPC) {
				return
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}, func() {
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
	}}
}

// The disk fills up under traffic: nothing is acknowledged that is not stored, the number says
// what is wrong, and once there is room everything is there, once. It makes no difference
// whether the process ends meanwhile.
func TestAFullDiskLosesNothing(t *testing.T) {
	t.Parallel()
	for _, ends := range []bool{false, true} {
		t.Run(map[bool]string{false: "the process goes on", true: "the process ends"}[ends], func(t *testing.T) {
			t.Parallel()
			disk := newSmallDisk(t)
			p, owner, friend := disk.place, newPhone(t, "Owner"), newPhone(t, "Friend")
			s := p.open(quick)
			scan(t, s, owner)
			if _, err := friend.SendText(within(t), owner.Number(), "before"); err != nil {
				t.Fatal(err)
			}
			p.one("the first message", text("before"))
			sendText(t, s, friend.Number(), "answer") // from here on without prekeys
			arrives(t, friend, 0, "answer")

			disk.fill()
			const n = 12
			padding := strings.Repeat(" long", 12_000) // more than the room that the databases have left
			for i := range n {
				if _, err := friend.SendText(within(t), owner.Number(), fmt.Sprint("no room ", i, padding)); err != nil {
					t.Fatal(err)
				}
			}
			untilIs(t, s, instances.Connected, instances.StorageFull)
			if _, err := s.SendText(within(t), friend.Number(), "mine"+padding); fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.MessageOf(err), "room") {
				t.Errorf("a send says %v", err)
			}
			if ends {
				s.Close()
			}
			disk.free()
			if ends {
				s = p.open(quick)
			}
			for i := range n {
				p.one("what had no room", func(m messages.Message) bool { return strings.HasPrefix(m.Text, fmt.Sprint("no room ", i, " ")) })
			}
			untilIs(t, s, instances.Connected, "")
			if got := count(fromOthers, p.all()); got != n+1 {
				t.Errorf("%d messages are stored, want %d", got, n+1)
			}
			sendText(t, s, friend.Number(), "room again")
			arrives(t, friend, 0, "room again")
		})
	}
}
