package handlers

import (
	"net/http"
	"testing"

	"switchboard/auth"
	"switchboard/instances"
	"switchboard/settings"
)

func TestLimitsPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	inst := connected(s.owner)
	inst.Limits.OpenFiles = 500
	s.numbers.set(inst)
	page := "/instances/" + string(known) + "/limits"
	b.get("/instances/"+string(known)+"/settings").has(t, `data-testid="limits"`)
	b.get(page).has(t, `placeholder="512"`, `placeholder="No limit"`, `It has 60 MB now`, `so it has no effect`, `data-testid="save-limits"`)

	got := b.post(page, "memory_bytes", "64", "cpu_percent", "50", "open_files", "2000", "disk_bytes", " 100 ")
	if got.code != http.StatusSeeOther {
		t.Fatalf("save: %d %s", got.code, got.body)
	}
	want := instances.Limits{Memory: 64 << 20, CPU: 50, OpenFiles: 2000, Disk: 100 << 20}
	if set, err := s.settings.Get(t.Context(), known); err != nil || set.Limits != want {
		t.Errorf("kept %+v, %v", set.Limits, err)
	}
	b.get(page).has(t, `value="64"`, `value="2000"`, "The server allows no more than 500")

	got = b.post(page, "memory_bytes", "2 GB", "cpu_percent", "-1", "disk_bytes", "55")
	if got.code != http.StatusUnprocessableEntity {
		t.Errorf("no numbers: %d", got.code)
	}
	got.has(t, `value="2 GB"`, `id="memory_bytes-error"`, "Enter MB as a whole number", `id="cpu_percent-error"`, `id="disk_bytes-error"`)
	got = b.post(page, "memory_bytes", "5", "disk_bytes", "55")
	got.has(t, "Enter a size from 32 MB to 1 TB", "The folder of this number has 60 MB already")
	if set, err := s.settings.Get(t.Context(), known); err != nil || set.Limits != want {
		t.Errorf("kept %+v, %v", set.Limits, err)
	}
	b.post(page)
	if set, err := s.settings.Get(t.Context(), known); err != nil || set.Limits != (instances.Limits{}) {
		t.Errorf("after everything was emptied: %+v, %v", set.Limits, err)
	}

	// Where a number was at a limit, its page leads there.
	inst.Status, inst.Reason = instances.Backoff, instances.DiskLimit
	s.numbers.set(inst)
	b.get("/instances/"+string(known)).has(t, `data-testid="its-limits"`)
}

// One click gives a number that is full more room, with which it starts.
func TestMoreRoom(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	number := "/instances/" + string(known)
	full := connected(99)
	full.Status, full.Reason, full.Limits = instances.Backoff, instances.DiskLimit, instances.Limits{}
	o.numbers.set(full)
	limit := func(l instances.Limits) {
		t.Helper()
		err := o.settings.Update(t.Context(), known, func(set *settings.Settings) error {
			set.Limits = l
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	b := o.browsers[auth.Administrator]
	b.get(number).has(t, `data-testid="more-room"`, "how long messages and pictures are kept")
	again := full
	again.Status = instances.Starting // as it does now and then
	o.numbers.set(again)
	b.get(number).has(t, `data-testid="more-room"`)
	o.numbers.set(full)
	o.browsers[auth.Operator].get(number).lacks(t, `data-testid="more-room"`)
	if got := o.browsers[auth.Operator].post(number + "/limits/more-room"); got.code != http.StatusForbidden {
		t.Errorf("an operator's click: %d", got.code)
	}
	for _, step := range []struct{ own, want int64 }{
		{0, 90 << 20}, // the folder has more than all numbers may
		{200 << 20, 300 << 20},
	} {
		limit(instances.Limits{Memory: 64 << 20, Disk: step.own})
		if got := b.post(number + "/limits/more-room"); got.header.Get("Location") != number {
			t.Fatalf("more room: %d %s", got.code, got.body)
		}
		want := instances.Limits{Memory: 64 << 20, Disk: step.want}
		if set, err := o.settings.Get(t.Context(), known); err != nil || set.Limits != want {
			t.Errorf("it may have %+v, %v", set.Limits, err)
		}
	}
	full.Status, full.Reason = instances.Connected, ""
	o.numbers.set(full)
	if got := b.post(number + "/limits/more-room"); got.code != http.StatusConflict {
		t.Errorf("of one that is not full: %d", got.code)
	}
}

// Whoever only sees a number sees its limits, and no button.
func TestLimitsAreForAdministrators(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	page := "/instances/" + string(known) + "/limits"
	got := o.browsers[auth.Operator].get(page)
	got.has(t, `data-testid="limits-others"`)
	got.lacks(t, `data-testid="save-limits"`)
	if got := o.browsers[auth.Operator].post(page, "memory_bytes", "64"); got.code != http.StatusForbidden {
		t.Errorf("an operator's change: %d", got.code)
	}
	if got := o.browsers[auth.Administrator].post(page, "memory_bytes", "64"); got.code != http.StatusSeeOther {
		t.Errorf("an administrator's change: %d", got.code)
	}
	b := o.browsers[auth.Owner]
	b.get("/audit").has(t, "limits")
}
