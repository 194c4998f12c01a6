package instances

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"switchboard/fault"
)

func TestCreateChecksItsInput(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		for field, ins := range map[string][]New{
			"name":  {{}, {Name: " \t "}, {Name: strings.Repeat("x", 81)}, {Name: "a\x00b"}, {Name: "\xff"}, {Name: "a\u200b\x1b[31m"}},
			"phone": {{Name: "A", Phone: "call me"}, {Name: "A", Phone: "123"}, {Name: "A", Phone: strings.Repeat("1", 16)}, {Name: "A", Phone: "0170 1234567"}, {Name: "A", Phone: "++491701234567"}},
		} {
			for _, in := range ins {
				if _, err := w.Create(t.Context(), owner, in); fault.KindOf(err) != fault.Invalid || fault.FieldOf(err) != field {
					t.Errorf("%+v: %v", in, err)
				}
			}
		}
		if len(w.records) != 0 {
			t.Errorf("stored %v", w.records)
		}
		for _, name := range []string{"🙂🚀", strings.Repeat("Ж", 80), "<script>"} {
			inst, err := w.Create(t.Context(), owner, New{Name: name})
			if err != nil || !inst.ID.Valid() || inst.Name != name {
				t.Errorf("%q: %+v, %v", name, inst, err)
			}
		}
	})
}

func TestPorts(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var ids []ID
		for i := range 3 {
			ids = append(ids, w.number(fmt.Sprint(i), Connected))
		}
		// 3002 is taken by another program.
		for i, want := range []int{3001, 3003, 3004} {
			if got := w.get(ids[i]).Port; got != want {
				t.Errorf("port %d is %d, want %d", i, got, want)
			}
		}
		w.ok(w.Delete(t.Context(), owner, ids[1]))
		if got := w.get(w.number("again", Connected)).Port; got != 3003 {
			t.Errorf("a free port is not used again: %d", got)
		}
		// A record that this process does not know.
		w.set(func() { w.records = append(w.records, Instance{ID: "x", Name: "x", Port: 3005}) })
		if got := w.get(w.number("next", Connected)).Port; got != 3006 {
			t.Errorf("the port of an unknown record is given away: %d", got)
		}
		w.set(func() { w.records = w.records[:len(w.records)-2] })
		w.o.PortFree = func(int) bool { return false }
		if _, err := w.Create(t.Context(), owner, New{Name: "no port"}); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("without a free port: %v", err)
		}
	})
}

func TestFreePort(t *testing.T) {
	t.Parallel()
	used := map[int]bool{3001: true, 3003: true}
	if p, err := freePort(3001, used, nil); p != 3002 || err != nil {
		t.Errorf("got %d, %v", p, err)
	}
	if _, err := freePort(65535, map[int]bool{65535: true}, nil); err == nil {
		t.Error("a port above 65535")
	}
}

func TestNamesAreUnique(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.number("Shop", Connected)
		if _, err := w.Create(t.Context(), Viewer{User: 2}, New{Name: "sHOP "}); fault.KindOf(err) != fault.Conflict || fault.FieldOf(err) != "name" {
			t.Errorf("got %v", err)
		}
	})
}

func TestADoubleClickMakesOne(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var wg sync.WaitGroup
		ids := make([]ID, 8)
		for i := range ids {
			wg.Go(func() {
				inst, err := w.Create(t.Context(), owner, New{Name: "A", RequestID: "r1"})
				if err != nil {
					t.Error(err)
				}
				ids[i] = inst.ID
			})
		}
		wg.Wait()
		synctest.Wait()
		for _, id := range ids {
			if id != ids[0] {
				t.Errorf("ids %v", ids)
			}
		}
		if len(w.records) != 1 || w.launches != 1 {
			t.Errorf("%d records, %d launches", len(w.records), w.launches)
		}
	})
}

// Two creations in one second, whatever becomes of the first one.
func TestIDsAreNotUsedAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		seen := map[ID]bool{}
		for _, name := range []string{"Café", "cafe", "CAFÉ!", "Café"} {
			inst, err := w.Create(t.Context(), owner, New{Name: name})
			w.ok(err)
			if seen[inst.ID] {
				t.Errorf("%q got the id %s again", name, inst.ID)
			}
			seen[inst.ID] = true
			if name == "Café" {
				w.ok(w.Delete(t.Context(), owner, inst.ID))
			}
		}
	})
}

// Killed right after the record was stored, the next process finishes the creation.
func TestACreationIsFinishedByTheNextProcess(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		wait, release := blocked()
		defer release()
		w.set(func() { w.provision = wait })
		inst, err := w.Create(t.Context(), owner, New{Name: "A"})
		w.ok(err)
		w.close(true)
		if w.record(inst.ID).Status != Provisioning {
			t.Fatalf("the record is %+v", w.record(inst.ID))
		}
		w.set(func() { w.provision = nil })
		w.open()
		w.worker(inst.ID).say(Report{Status: PairingPhone})
		w.want(inst.ID, PairingPhone, "")
	})
}

// programs is a store of another program.
type programs struct {
	mu     sync.Mutex
	found  []Paired
	copied []string
	err    error
}

func (p *programs) Found(context.Context) ([]Paired, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Paired(nil), p.found...), nil
}

func (p *programs) Copy(_ context.Context, one Paired, to Access) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.copied = append(p.copied, one.JID+" to "+to.Keys)
	return p.err
}

func TestImport(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		old := &programs{found: []Paired{
			{JID: "491:3@s.whatsapp.net", PushName: "Shop"}, {JID: "492:1@s.whatsapp.net", PushName: "Shop"},
			{JID: "493:1@s.whatsapp.net"}, {JID: "494:1@s.whatsapp.net", Imported: true}, {JID: "495:1@s.whatsapp.net", PushName: "Late"},
		}}
		w.o.Importer = old
		names := map[string]string{"491:3@s.whatsapp.net": "Shop", "492:1@s.whatsapp.net": "Shop 2", "493:1@s.whatsapp.net": "+493"}
		for _, p := range old.found[:3] {
			inst, err := w.Import(t.Context(), owner, p.JID)
			w.ok(err)
			if inst.Name != names[p.JID] || inst.JID != p.JID || inst.Phone == "" {
				t.Errorf("imported %+v", inst)
			}
			w.worker(inst.ID).say(Report{Status: Connected, JID: p.JID})
			w.want(inst.ID, Connected, "")
			if want := p.JID + " to keys of " + string(inst.ID); old.copied[len(old.copied)-1] != want {
				t.Errorf("copied %v, want %s", old.copied, want)
			}
		}
		left, err := w.Found(t.Context())
		if err != nil || len(left) != 1 || left[0].JID != "495:1@s.whatsapp.net" {
			t.Errorf("left are %v, %v", left, err)
		}
		for _, jid := range []string{"491:3@s.whatsapp.net", "494:1@s.whatsapp.net", "nobody"} {
			if _, err := w.Import(t.Context(), owner, jid); fault.KindOf(err) != fault.NotFound {
				t.Errorf("import of %s: %v", jid, err)
			}
		}

		// A copy that fails is tried again by a start, also by the next process.
		old.err = errTest
		inst, err := w.Import(t.Context(), owner, "495:1@s.whatsapp.net")
		w.ok(err)
		w.want(inst.ID, Failed, ProvisionFailed)
		w.close(false)
		w.open()
		w.o.Importer = old
		old.err = nil
		copies := len(old.copied)
		w.ok(w.Start(t.Context(), owner, inst.ID))
		w.want(inst.ID, Starting, "")
		if len(old.copied) != copies+1 {
			t.Errorf("copied %v", old.copied)
		}
		// And no start after that copies again.
		w.ok(w.Restart(t.Context(), owner, inst.ID))
		if len(old.copied) != copies+1 {
			t.Errorf("copied again: %v", old.copied)
		}
	})
}

func TestNothingToImport(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		if found, err := w.Found(t.Context()); found != nil || err != nil {
			t.Errorf("found %v, %v", found, err)
		}
		if _, err := w.Import(t.Context(), owner, "x"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("got %v", err)
		}
	})
}
