package e2e

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"

	"switchboard/cgroups/cgrouptest"
)

// TestLimits has two numbers exceed what they may use: each is started again alone, its page
// says why, and a third number notices nothing.
func TestLimits(t *testing.T) {
	t.Parallel()
	f := startLimited(t, 26800)
	f.exceeds(0, f.pictures(0), "used more memory than one number may", 1, 2)
	f.exceeds(1, func() { f.openConnections(1) }, "had more files and connections open than one number may", 2)
}

// TestLimitsOfTheKernel does the same where control groups were handed over: the kernel then
// ends the number that uses too much memory.
func TestLimitsOfTheKernel(t *testing.T) {
	if !cgrouptest.Inside(t) {
		return
	}
	f := startLimited(t, 26850)
	if !strings.Contains(f.stderr.String(), "every number has a control group") {
		t.Fatal("the panel found no control groups")
	}
	// Adopted numbers are limited like those that were started.
	lines := f.lines()
	f.killed()
	f.connected()
	f.undisturbed(lines)
	f.exceeds(0, f.pictures(0), "used more memory than one number may", 1, 2)
}

func startLimited(t *testing.T, port int) *fleet {
	return startFleet(t, 3, port, "WORKER_MEMORY_LIMIT=32", "WORKER_OPEN_FILES=64")
}

// exceeds repeats what makes a number exceed a limit until its process is another one, and
// looks for the reason on its page. The others that are named have to be what they were. Of what
// is repeated something may come to the next process, too, and end that a while later.
func (f *fleet) exceeds(i int, again func(), why string, others ...int) {
	f.t.Helper()
	lines, before := f.lines(), f.now()
	id := f.numbers[i].ID
	poll(f.t, "the process of the number is another one", func() bool {
		now := f.api.get(id)
		if now.PID == before[id].PID {
			again()
		}
		return now.PID != 0 && now.PID != before[id].PID
	}, nil)
	f.connected()
	r := f.signedIn()
	r.open(f.url + "/instances/" + id)
	if text := r.text(r.find("ended-for")); !strings.Contains(text, why) {
		f.t.Errorf("the page says %q, and not that it %s", text, why)
	}
	now, after := f.now(), f.lines()
	for _, j := range others {
		was := f.numbers[j]
		if is := now[was.ID]; is.PID != before[was.ID].PID || after[f.phones[j].number] != lines[f.phones[j].number] {
			f.t.Errorf("another number was %+v and is now %+v", before[was.ID], is)
		}
	}
}

// pictures returns what has a number send large pictures, several at once.
func (f *fleet) pictures(i int) (send func()) {
	noise := image.NewGray(image.Rect(0, 0, 3000, 3000))
	for at := range noise.Pix {
		noise.Pix[at] = byte(rand.Uint32())
	}
	var picture bytes.Buffer
	if err := png.Encode(&picture, noise); err != nil {
		f.t.Fatal(err)
	}
	return func() {
		var sends sync.WaitGroup
		for range 4 {
			sends.Go(func() {
				f.api.rest(f.numbers[i].ID).ask("POST /send/image", "/send/image", form{"phone": f.phones[2].number, "compress": "true", "image": picture.Bytes()})
			})
		}
		sends.Wait()
	}
}

// openConnections holds more connections to a number's own port than it may have files, until
// the number closes them.
func (f *fleet) openConnections(i int) {
	var open sync.WaitGroup
	for range 64 {
		open.Go(func() {
			conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", f.numbers[i].Port))
			if err != nil {
				return
			}
			defer conn.Close()
			_, _ = conn.Read(make([]byte, 1))
		})
	}
	open.Wait()
}
