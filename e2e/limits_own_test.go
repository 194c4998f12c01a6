package e2e

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"switchboard/control"
	"switchboard/messages"
	"switchboard/whatsapp/simulator/phone"
	"switchboard/whatsapp/simulator/web"
)

// limits are those of a number as the API shows them.
type limits struct {
	Memory int64 `json:"memory_bytes"`
	Log    int64 `json:"log_bytes"`
	Disk   int64 `json:"disk_bytes"`
}

// limit changes the limits of a number, and waits until its process says that it keeps to them.
func (f *fleet) limit(i int, wish map[string]any, want limits) {
	f.t.Helper()
	path := "/instances/" + f.numbers[i].ID
	f.api.call(http.MethodPatch, path+"/limits", wish, http.StatusOK, nil)
	f.keeps(i, want)
}

func (f *fleet) keeps(i int, want limits) {
	f.t.Helper()
	var now struct{ Limits limits }
	poll(f.t, "the number keeps to its limits", func() bool {
		f.api.call(http.MethodGet, "/instances/"+f.numbers[i].ID, nil, http.StatusOK, &now)
		return now.Limits == want
	}, func() string { return fmt.Sprintf("it keeps to %+v, and not to %+v", now.Limits, want) })
}

// TestLimitsOfOneNumber gives one number less memory than the others, while it runs: it is
// started again alone for what another number does without trouble, also by the next panel,
// and its page says why.
func TestLimitsOfOneNumber(t *testing.T) {
	t.Parallel()
	f := startFleet(t, 3, 26750, "WORKER_MEMORY_LIMIT=512")
	want := limits{Memory: 32 << 20, Log: 20 << 20, Disk: 10 << 30}
	lines := f.lines()
	f.limit(0, map[string]any{"memory_bytes": 32 << 20}, want)
	f.undisturbed(lines)
	f.killed()
	f.connected()
	f.undisturbed(lines)
	f.keeps(0, want)
	f.pictures(1)()
	f.undisturbed(lines)
	f.exceeds(0, f.pictures(0), "used more memory than one number may", 1, 2)
	f.keeps(0, want)
	f.limit(0, map[string]any{"memory_bytes": nil}, limits{Memory: 512 << 20, Log: 20 << 20, Disk: 10 << 30})

	// Other limits of all numbers come with the next panel, to processes that run. They are larger
	// ones: a process that has just done with its pictures may have more than smaller ones.
	lines = f.lines()
	was := f.now()
	f.killed("--worker-memory-limit=768")
	f.connected()
	for i := range f.numbers {
		f.keeps(i, limits{Memory: 768 << 20, Log: 20 << 20, Disk: 10 << 30})
		if id := f.numbers[i].ID; f.now()[id].PID != was[id].PID {
			t.Error("a number was started again for the sake of its limits")
		}
	}
	if now := f.lines(); !maps.Equal(now, lines) {
		t.Errorf("the connections were %v and are %v", lines, now)
	}
}

// TestDiskLimitOfOneNumber fills the folder of a number until it may have no more: it waits for
// room, its page says why and what to do, and the others notice nothing. Nothing that was sent to it
// before, meanwhile or after is lost.
func TestDiskLimitOfOneNumber(t *testing.T) {
	t.Parallel()
	f := startFleet(t, 2, 26790)
	number, to, from := f.numbers[0], f.phones[0].number, f.phones[1]
	lines := f.lines()
	var sent []string
	say := func(text string) {
		from.send(to, text)
		sent = append(sent, text)
	}
	file := func(name string) {
		data := bytes.Repeat([]byte(name), 10<<20/len(name))
		_, err := f.network.control.SendFile(within(t, patience), from.number, to, web.File{Kind: phone.Document, MIME: "application/zip", Name: name, Caption: name, Data: data})
		f.network.must(err)
		sent = append(sent, name)
	}
	own := limits{Memory: 512 << 20, Log: 4 << 20, Disk: 50 << 20}
	f.limit(0, map[string]any{"disk_bytes": 50 << 20, "log_bytes": 4 << 20}, own)
	// Media may have three quarters of it, so that there is room for messages.
	for n := range 3 {
		file(fmt.Sprintf("file %d.zip", n))
		poll(t, "the file is there", func() bool { return f.files(number) == n+1 }, nil)
	}
	file("file 3.zip")
	say("before")
	poll(t, "a message comes although there is no room for more files", func() bool { return f.talk(number).in["before"] == 1 }, nil)
	poll(t, "the file without room waits", func() bool {
		return slices.ContainsFunc(f.stored(number), func(m messages.Message) bool {
			return m.Media != nil && m.Media.State == messages.Waiting && strings.Contains(m.Media.Error, "no room")
		})
	}, nil)
	if now := f.now()[number.ID]; now.PID != number.PID {
		t.Errorf("the number was %+v and is %+v", number, now)
	}
	// What somebody has left in the folder counts as well.
	if err := os.WriteFile(filepath.Join(f.folder(number.ID), "left here"), make([]byte, 20<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	// It looks once a minute, and when its limits change.
	f.api.call(http.MethodPatch, "/instances/"+number.ID+"/limits", map[string]any{"log_bytes": 8 << 20}, http.StatusOK, nil)
	poll(t, "the number stops", func() bool { return f.api.get(number.ID).Reason == "disk_limit" }, func() string {
		return fmt.Sprintf("it is %+v", f.api.get(number.ID))
	})
	r := f.signedIn()
	// In between it tries to start.
	poll(t, "the page says why", func() bool {
		r.open(f.url + "/instances/" + number.ID)
		return strings.Contains(r.text(r.find("status")), "larger than one number may have")
	}, func() string { return r.text(r.find("status")) })
	if r.find("its-limits") == nil {
		t.Error("the page does not lead to the limits")
	}
	log, err := os.ReadFile(filepath.Join(f.folder(number.ID), control.LogName))
	if err != nil || !bytes.Contains(log, []byte("worker cannot run")) {
		t.Errorf("the log does not say why the worker ended: %v", err)
	}
	say("meanwhile")
	file("meanwhile.zip")

	// With less than there is, it would stop again at once.
	f.api.call(http.MethodPatch, "/instances/"+number.ID+"/limits", map[string]any{"disk_bytes": 20 << 20}, http.StatusUnprocessableEntity, nil)
	// One click on its page is enough for it to go on.
	r.submit("more-room-form", nil)
	f.connected()
	var now struct{ Limits limits }
	f.api.call(http.MethodGet, "/instances/"+number.ID, nil, http.StatusOK, &now)
	if now.Limits.Disk <= 50<<20 {
		t.Errorf("it may have %d bytes", now.Limits.Disk)
	}
	say("after")
	poll(t, "everything is stored", func() bool { return len(f.talk(number).in) == len(sent) }, func() string {
		return fmt.Sprintf("stored is %v of %v", f.talk(number).in, sent)
	})
	once(t, "the number", f.talk(number).in, sent)
	// That for which there was no room would be fetched within an hour.
	poll(t, "every file is there", func() bool {
		for _, m := range f.stored(number) {
			if m.Media != nil && m.Media.State != messages.Stored {
				f.api.rest(number.ID).ask("GET /message/{message_id}/download", "/message/"+m.ID+"/download?phone="+from.number, nil)
			}
		}
		return f.files(number) == 5
	}, func() string {
		return fmt.Sprintf("there are %d", f.files(number))
	})
	if now := f.now()[f.numbers[1].ID]; now.PID != f.numbers[1].PID || f.lines()[f.phones[1].number] != lines[f.phones[1].number] {
		t.Errorf("the other number was %+v and is %+v", f.numbers[1], now)
	}
}

// files counts the files that a number has fetched.
func (f *fleet) files(inst instance) (n int) {
	f.t.Helper()
	for _, m := range f.stored(inst) {
		if m.Media != nil && m.Media.State == messages.Stored {
			n++
		}
	}
	return n
}
