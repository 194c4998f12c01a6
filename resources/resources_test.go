package resources

import (
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

func TestReadItself(t *testing.T) {
	t.Parallel()
	var m Meter
	ballast := make([]byte, 64<<20)
	for i := range ballast {
		ballast[i] = 1
	}
	u, err := m.Read(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if u.RSSBytes < int64(len(ballast)) {
		t.Errorf("%d bytes in memory, of which %d are written", u.RSSBytes, len(ballast))
	}
	if u.CPUPercent < 0 {
		t.Errorf("%v %% of a processor", u.CPUPercent)
	}
	ballast[0]++ // keeps it alive until here
}

func TestPercentOfABusyProcess(t *testing.T) {
	t.Parallel()
	busy := exec.Command("sh", "-c", "while :; do :; done")
	if err := busy.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = busy.Process.Kill()
		_ = busy.Wait()
	}()
	var m Meter
	// What it has used is what counts, not how long the machine let it wait.
	for start := time.Now(); ; {
		spent, _, err := readStat("/proc/" + strconv.Itoa(busy.Process.Pid) + "/stat")
		if err != nil {
			t.Fatal(err)
		}
		if spent >= 100*time.Millisecond {
			break
		}
		if time.Since(start) > 5*time.Minute {
			t.Fatal("the process got no processor time")
		}
	}
	u, err := m.Read(busy.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if u.CPUPercent <= 0 || u.CPUPercent > 200 {
		t.Errorf("a busy process uses %v %%", u.CPUPercent)
	}
	s := m.samples[busy.Process.Pid]
	s.at = time.Now().Add(time.Hour) // however long this test had to wait
	m.samples[busy.Process.Pid] = s
	again, err := m.Read(busy.Process.Pid)
	if err != nil || again.CPUPercent != u.CPUPercent {
		t.Errorf("a second later the mean is %v, at once it was %v: %v", again, u, err)
	}
}

func TestSampleOfAnEarlierProcessIsNotUsed(t *testing.T) {
	t.Parallel()
	m := Meter{samples: map[int]sample{os.Getpid(): {started: 1, busy: time.Hour, at: time.Now(), percent: 99999}}}
	u, err := m.Read(os.Getpid())
	if err != nil || u.CPUPercent == 99999 {
		t.Errorf("%v, %v", u, err)
	}
}

func TestMeanSinceTheSampleBefore(t *testing.T) {
	t.Parallel()
	busy, started, err := readStat("/proc/self/stat")
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now().Add(-10 * time.Second)
	m := Meter{samples: map[int]sample{os.Getpid(): {started: started, busy: busy - 5*time.Second, at: before}}}
	u, err := m.Read(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	// Five of ten seconds, or of a few more, and what this test itself has used meanwhile.
	if least := 500 / time.Since(before).Seconds(); u.CPUPercent < least || u.CPUPercent > 100 {
		t.Errorf("the mean is %v %%, want about 50", u.CPUPercent)
	}
}

func TestNoSuchProcess(t *testing.T) {
	t.Parallel()
	var m Meter
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Read(gone.Process.Pid); err == nil {
		t.Error("measured a process that has ended")
	}
}

func TestSweepDropsWhatNobodyAsksFor(t *testing.T) {
	t.Parallel()
	m := Meter{samples: map[int]sample{1 << 30: {at: time.Now().Add(-2 * stale)}}}
	if _, err := m.Read(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	if len(m.samples) != 1 {
		t.Errorf("%d samples are kept, want one", len(m.samples))
	}
}
