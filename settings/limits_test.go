package settings_test

import (
	"encoding/json"
	"testing"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/settings"
)

func TestSetLimits(t *testing.T) {
	t.Parallel()
	least := instances.Limits{
		Memory: settings.LeastMemory, CPU: settings.LeastCPU, OpenFiles: settings.LeastFiles, Log: settings.LeastLog, Disk: settings.LeastDisk,
	}
	most := instances.Limits{
		Memory: settings.MostMemory, CPU: settings.MostCPU, OpenFiles: settings.MostFiles, Log: settings.MostLog, Disk: settings.MostDisk,
	}
	for _, good := range []instances.Limits{{}, least, most, {Disk: settings.LeastDisk}} {
		var s settings.Settings
		if err := s.SetLimits(good, 0); err != nil || s.Limits != good {
			t.Errorf("%+v became %+v, %v", good, s.Limits, err)
		}
	}
	var s settings.Settings
	if err := s.SetLimits(instances.Limits{Disk: 70 << 20}, 80<<20); fault.FieldOf(err) != "disk_bytes" {
		t.Errorf("less than what is there: %v", err)
	}
	if err := s.SetLimits(instances.Limits{Disk: 80 << 20}, 80<<20); err != nil {
		t.Error(err)
	}
	if err := s.SetLimits(instances.Limits{Disk: 80 << 20, CPU: 50}, 90<<20); err != nil {
		t.Errorf("another limit of a number that has too much: %v", err)
	}
	fields := map[string]func(*instances.Limits) *int64{
		"memory_bytes": func(l *instances.Limits) *int64 { return &l.Memory },
		"cpu_percent":  func(l *instances.Limits) *int64 { return &l.CPU },
		"open_files":   func(l *instances.Limits) *int64 { return &l.OpenFiles },
		"log_bytes":    func(l *instances.Limits) *int64 { return &l.Log },
		"disk_bytes":   func(l *instances.Limits) *int64 { return &l.Disk },
	}
	for name, field := range fields {
		low, high, negative := least, most, least
		*field(&low)--
		*field(&high)++
		*field(&negative) = -1
		for _, bad := range []instances.Limits{low, high, negative} {
			s := settings.Settings{Limits: least}
			if err := s.SetLimits(bad, 0); fault.FieldOf(err) != name || s.Limits != least {
				t.Errorf("%s: %+v, %v", name, s.Limits, err)
			}
		}
	}
}

// A number keeps to its own limits and, where it has none, to those of all. What is kept of it
// are its own, so that it follows when those of all change.
func TestLimitsOfOneNumber(t *testing.T) {
	t.Parallel()
	k, s := newKeeper(t)
	ok(t, k.LimitAll(t.Context(), instances.Limits{Memory: 512 << 20, Log: 20 << 20, Disk: 1 << 30}))
	ok(t, k.Update(t.Context(), id, func(s *settings.Settings) error {
		return s.SetLimits(instances.Limits{Memory: 64 << 20, CPU: 50}, 0)
	}))
	want := instances.Limits{Memory: 64 << 20, CPU: 50, Log: 20 << 20, Disk: 1 << 30}
	if got, err := k.Limits(t.Context(), id); err != nil || got != want {
		t.Errorf("it keeps to %+v, %v", got, err)
	}
	document, err := k.Document(t.Context(), id)
	ok(t, err)
	var copied settings.Settings
	ok(t, json.Unmarshal(document, &copied))
	if copied.Limits != want {
		t.Errorf("its worker is given %+v", copied.Limits)
	}
	next := keeper(t, s, "key")
	ok(t, next.LimitAll(t.Context(), instances.Limits{Memory: 1 << 30, Log: 4 << 20}))
	want = instances.Limits{Memory: 64 << 20, CPU: 50, Log: 4 << 20}
	if got, err := next.Limits(t.Context(), id); err != nil || got != want {
		t.Errorf("with other limits of all it keeps to %+v, %v", got, err)
	}
}

// A worker that runs learns of other limits of all numbers as it learns of everything else: by a
// later revision. While they stay as they are, there is none.
func TestLimitsOfAllNumbers(t *testing.T) {
	t.Parallel()
	k, s := newKeeper(t)
	all := instances.Limits{Memory: 512 << 20, Log: 20 << 20}
	ok(t, k.LimitAll(t.Context(), all))
	ok(t, k.Update(t.Context(), settings.Shared, func(s *settings.Settings) error {
		s.Webhooks = append(s.Webhooks, endpoint("a"))
		return nil
	}))
	was := k.Revision(id)
	next := keeper(t, s, "key")
	ok(t, next.LimitAll(t.Context(), all))
	if next.Revision(id) != was {
		t.Error("the same limits are taken for other ones")
	}
	next = keeper(t, s, "key")
	ok(t, next.LimitAll(t.Context(), instances.Limits{Memory: 1 << 30, Log: 20 << 20}))
	if next.Revision(id) <= was {
		t.Error("a worker that runs will not be told of other limits")
	}
	if got, err := next.Get(t.Context(), settings.Shared); err != nil || len(got.Webhooks) != 1 {
		t.Errorf("what else is for all numbers became %+v, %v", got, err)
	}
}
