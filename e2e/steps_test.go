package e2e

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// stride is how many steps lie between two at which TestKilledAtEveryStep kills; 1 leaves none
// out.
var stride = flag.Int("stride", 3, "TestKilledAtEveryStep kills the panel at every so manieth step")

// TestKilledAtEveryStep kills the whole panel at each step of making and of deleting a number
// that it tells of. The next panel completes it: what was made can be paired, and what was deleted
// is gone, with databases, role, folder and process.
func TestKilledAtEveryStep(t *testing.T) { onBothEngines(t, killedAtEveryStep) }

func killedAtEveryStep(t *testing.T, database ...string) {
	network := startNetwork(t)
	p, _ := startPanelWithToken(t, network, append(database, "LOG_LEVEL=debug")...)
	p.stop()
	steps := 0
	for making := 1; p.killedAt(making, p.make); making += *stride {
		steps++
		p.serve(t)
		a := p.withToken()
		var all []instance
		a.call(http.MethodGet, "/instances", nil, http.StatusOK, &all)
		for _, inst := range all { // none, if it died before the record was there
			a.becomes(inst.ID, "pairing")
			a.code(inst.ID)
			a.delete(inst.ID)
			p.nothingLeft(inst)
		}
		p.stop()
	}
	for deleting := 1; ; deleting += *stride {
		p.serve(t)
		a := p.withToken()
		phone := network.addPhone(fmt.Sprintf("4917002000%02d", deleting), "Ada")
		inst := a.pair(a.create("Deleted").ID, phone)
		p.stop()
		killed := p.killedAt(deleting, func(api *api) {
			_, _ = api.ask(http.MethodDelete, "/instances/"+inst.ID, nil) // the panel may die of it
			p.until(func() bool {
				status, _ := api.ask(http.MethodGet, "/instances/"+inst.ID, nil)
				return status == http.StatusNotFound
			})
		}, inst)
		if !killed {
			p.nothingLeft(inst)
			break
		}
		steps++
		p.serve(t)
		a = p.withToken()
		if status, body := a.ask(http.MethodGet, "/instances/"+inst.ID, nil); status == http.StatusOK && !bytes.Contains(body, []byte(`"status":"deleting"`)) {
			a.delete(inst.ID) // it died before the wish was stored
		}
		poll(t, "the number is gone", func() bool {
			status, _ := a.ask(http.MethodGet, "/instances/"+inst.ID, nil)
			return status == http.StatusNotFound
		}, nil)
		p.nothingLeft(inst)
		p.stop()
	}
	t.Logf("the panel was killed at %d steps", steps)
	if least := 12 / *stride; steps < least {
		t.Errorf("the panel was killed at %d steps only", steps)
	}
}

// make makes a number and waits for its code.
func (p *panel) make(api *api) {
	_, _ = api.ask(http.MethodPost, "/instances", map[string]string{"name": "Made"}) // the panel may die of it
	p.until(func() bool {
		status, body := api.ask(http.MethodGet, "/instances", nil)
		return status == http.StatusOK && bytes.Contains(body, []byte(`"status":"pairing"`))
	})
}

// killedAt starts the panel, has it do something, and kills it when it tells of that step, or
// says that it came to an end before. Numbers that are there have to be well first.
func (p *panel) killedAt(step int, do func(*api), there ...instance) bool {
	p.t.Helper()
	p.serve(p.t)
	api := p.withToken()
	for _, inst := range there {
		api.becomes(inst.ID, "connected")
	}
	var left atomic.Int64
	left.Store(int64(step))
	victim := p.process
	victim.stderr.hear(func(written []byte) {
		if left.Add(-int64(bytes.Count(written, []byte("\n")))) <= 0 {
			_ = victim.cmd.Process.Kill() // it may have ended meanwhile
		}
	})
	do(api)
	victim.stderr.hear(nil)
	if left.Load() > 0 {
		p.stop()
		return false
	}
	victim.wait()
	return true
}

// until polls as long as the panel lives.
func (p *panel) until(done func() bool) {
	p.t.Helper()
	poll(p.t, "it is done, or the panel has ended", func() bool { return p.over() || done() }, nil)
}

// nothingLeft looks for what a deleted number may have left.
func (p *panel) nothingLeft(inst instance) {
	p.t.Helper()
	for _, name := range []string{inst.Database.Main, inst.Database.Keys} {
		if p.has(inst.ID, name) {
			p.t.Errorf("the database %s is still there", name)
		}
	}
	if exists(p.folder(inst.ID)) || inst.PID != 0 && alive(inst.PID) {
		p.t.Errorf("folder: %v, process: %v", exists(p.folder(inst.ID)), alive(inst.PID))
	}
	if out := p.command("", "doctor"); !strings.Contains(out, "unknown databases    none") {
		p.t.Errorf("something of %s is left:\n%s", filepath.Base(inst.ID), out)
	}
}
