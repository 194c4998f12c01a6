package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestUpgrade puts another build of the program in the place of the one that runs, twice.
// The first is good: the numbers change over one by one. The second is broken: the number
// that tries it gets the one before back, and the others never notice.
func TestUpgrade(t *testing.T) {
	if testing.Short() {
		t.Skip("two more builds of the program take their time")
	}
	t.Parallel()
	good, broken := build(t, "2.0", nil), build(t, "3.0", func(source string) string {
		return strings.Replace(source, "runWorker(ctx context.Context, env environment, args []string) error {\n",
			"runWorker(ctx context.Context, env environment, args []string) error {\n\tpanic(\"broken on purpose\")\n", 1)
	})
	f := startFleet(t, 3, 26900)
	// From here on the program lies where an upgrade can replace it.
	f.program = filepath.Join(filepath.Dir(binary), "installed")
	install(t, binary, f.program)
	lines, logins := f.lines(), f.logins()
	f.killed()
	f.connected()

	install(t, good, f.program)
	f.reload()
	f.undisturbed(lines) // not yet
	poll(t, "every number runs the new version", func() bool { return f.versions()["2.0"] == 3 }, nil)
	f.connected()
	if n := f.logins() - logins; n != 3 {
		t.Errorf("an upgrade of 3 numbers needed %d logins", n)
	}
	for i, inst := range f.numbers {
		f.numbers[i] = f.api.get(inst.ID)
		if f.numbers[i].Restarts != 0 {
			t.Errorf("%s counts %d restarts", inst.ID, f.numbers[i].Restarts)
		}
	}

	install(t, broken, f.program)
	f.reload()
	poll(t, "the panel says that the version is no good", func() bool {
		return strings.Contains(f.stderr.String(), "the roll-out stops")
	}, nil)
	f.connected()
	if v := f.versions(); v["2.0"] != 3 {
		t.Errorf("after a broken upgrade: %v", v)
	}
	changed := 0
	for _, was := range f.numbers {
		if f.api.get(was.ID).PID != was.PID {
			changed++
		}
	}
	if changed != 1 {
		t.Errorf("%d numbers have noticed the broken upgrade", changed)
	}

	// A file that cannot even be executed is not started.
	pid := f.cmd.Process.Pid
	if err := os.WriteFile(f.program+".new", []byte("no program"), 0o700); err != nil {
		t.Fatal(err)
	}
	install(t, f.program+".new", f.program)
	if err := syscall.Kill(pid, syscall.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	poll(t, "the panel has refused it", func() bool {
		return strings.Contains(f.stderr.String(), "does not run, so this one goes on")
	}, nil)
	f.connected()
}

// build builds the program with a version, and with worker.go changed by edit.
func build(t *testing.T, version string, edit func(string) string) string {
	t.Helper()
	out := filepath.Join(filepath.Dir(binary), version)
	args := []string{"build", "-buildvcs=false", "-ldflags", "-X main.release=" + version, "-o", out}
	if edit != nil {
		source, err := filepath.Abs("../cmd/switchboard/worker.go")
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		other, list := filepath.Join(t.TempDir(), "worker.go"), filepath.Join(t.TempDir(), "overlay.json")
		overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{source: other}})
		if err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{other: edit(string(text)), list: string(overlay)} {
			if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		args = append(args, "-overlay", list)
	}
	if out, err := exec.Command("go", append(args, "switchboard/cmd/switchboard")...).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", version, err, out)
	}
	return out
}

// install puts a program in the place of another one, as a package manager does.
func install(t *testing.T, program, path string) {
	t.Helper()
	draft := path + ".draft"
	if out, err := exec.Command("cp", program, draft).CombinedOutput(); err != nil {
		t.Fatalf("copy: %v\n%s", err, out)
	}
	if err := os.Rename(draft, path); err != nil {
		t.Fatal(err)
	}
}

// reload makes the panel start itself anew, in the same process.
func (f *fleet) reload() {
	f.t.Helper()
	f.update(func() { f.process.lines = nil })
	if err := f.cmd.Process.Signal(syscall.SIGUSR2); err != nil {
		f.t.Fatal(err)
	}
	f.url = f.line(`^Switchboard is at (http\S+)$`)
	f.api.url = f.url + "/api/v1"
	f.connected()
}

// versions counts the workers of each version.
func (f *fleet) versions() map[string]int {
	f.t.Helper()
	count := make(map[string]int)
	for _, inst := range f.numbers {
		var record struct{ Version string }
		text, err := os.ReadFile(filepath.Join(f.folder(inst.ID), "worker.json"))
		if err == nil {
			err = json.Unmarshal(text, &record)
		}
		if err != nil {
			f.t.Fatal(err)
		}
		count[record.Version]++
	}
	return count
}
