package handlers

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"strings"

	"switchboard/auth"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/resources"
)

// showMetrics tells a program that watches machines how all numbers are. Its token has to
// belong to somebody who sees every number.
func (s *server) showMetrics(w http.ResponseWriter, r *http.Request) {
	if err := s.mayWatch(r); err != nil {
		if fault.KindOf(err) == fault.Unauthenticated {
			w.Header().Set("WWW-Authenticate", `Bearer realm="Switchboard"`)
		}
		http.Error(w, fault.MessageOf(err), fault.KindOf(err).Status())
		return
	}
	Metrics(s.Options).ServeHTTP(w, r)
}

func (s *server) mayWatch(r *http.Request) error {
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || strings.TrimSpace(secret) == "" {
		return fault.New(fault.Unauthenticated, "Send the API token of an administrator in the header Authorization, as \"Bearer swb_...\".")
	}
	user, _, err := s.Auth.ByToken(r.Context(), strings.TrimSpace(secret))
	if err != nil {
		return err
	}
	if err := user.Need(auth.Read); err != nil {
		return err
	}
	if v := user.Viewer(); !v.All || v.Only != nil {
		return fault.New(fault.Forbidden, "The metrics are about all numbers. Use the token of somebody who sees all of them.")
	}
	return nil
}

// Metrics tells the same to everybody, in the text format of Prometheus: for a listener that
// only the machine itself or its guards reach. Of o it needs Instances, Usage and Version.
func Metrics(o Options) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var m exposition
		list := o.Instances.List(instances.Viewer{All: true})
		m.family("switchboard_info", "gauge", "Always 1; which version runs.")
		m.value("switchboard_info", 1, "version", o.Version)
		m.numbers(list, o)
		boot, rollout := o.Instances.Boot(), o.Instances.Rollout()
		m.family("switchboard_boot_numbers", "gauge", "Numbers that this start was to bring up, and those whose start has come to something.")
		m.value("switchboard_boot_numbers", float64(boot.Total), "state", "total")
		m.value("switchboard_boot_numbers", float64(boot.Done), "state", "done")
		m.family("switchboard_rollout_stopped", "gauge", "1 when an update stopped at a number that did not come back with it.")
		m.value("switchboard_rollout_stopped", truth(rollout.Stopped != ""))
		m.own(o.Usage)
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = m.WriteTo(w) // an error means that the client has gone
	})
}

// exposition is a text in Prometheus' format.
type exposition struct{ bytes.Buffer }

func (m *exposition) family(name, kind, help string) {
	fmt.Fprintf(m, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// value adds one value; labels come in pairs.
func (m *exposition) value(name string, value float64, labels ...string) {
	m.WriteString(name)
	for i := 0; i < len(labels); i += 2 {
		sep := ","
		if i == 0 {
			sep = "{"
		}
		// What %q escapes beyond quotes, backslashes and line feeds occurs in no label.
		fmt.Fprintf(m, "%s%s=%q", sep, labels[i], labels[i+1]) //nolint:gosec // labels come in pairs
	}
	if len(labels) > 0 {
		m.WriteByte('}')
	}
	fmt.Fprintf(m, " %g\n", value)
}

func (m *exposition) numbers(list []instances.Instance, o Options) {
	count := map[instances.Status]int{}
	usage := make([]resources.Usage, len(list))
	for i, inst := range list {
		count[inst.Status]++
		usage[i], _ = o.Usage.Of(string(inst.ID), inst.PID)
	}
	m.family("switchboard_numbers", "gauge", "Numbers by status.")
	for _, status := range instances.Statuses {
		m.value("switchboard_numbers", float64(count[status]), "status", string(status))
	}
	for _, f := range []struct {
		name, kind, help string
		of               func(i int) float64
	}{
		{"switchboard_number_connected", "gauge", "1 while WhatsApp has answered within the last minute.",
			func(i int) float64 { return truth(list[i].Status == instances.Connected) }},
		{"switchboard_number_running", "gauge", "1 while the number has a process.", func(i int) float64 { return truth(list[i].PID != 0) }},
		{"switchboard_number_restarts_total", "counter", "Restarts that nobody asked for, since the number was made.",
			func(i int) float64 { return float64(list[i].Restarts) }},
		{"switchboard_number_reconnects_total", "counter", "Connections made anew, since the panel was started.",
			func(i int) float64 { return float64(o.reconnects(list[i].ID)) }},
		{"switchboard_number_cpu_seconds_total", "counter", "Processor time of the present process.", func(i int) float64 { return usage[i].Busy.Seconds() }},
		{"switchboard_number_resident_memory_bytes", "gauge", "Memory in RAM.", func(i int) float64 { return float64(usage[i].RSSBytes) }},
		{"switchboard_number_own_memory_bytes", "gauge", "Memory in RAM that no file has a copy of, which is what is limited.",
			func(i int) float64 { return float64(usage[i].OwnBytes) }},
		{"switchboard_number_open_files", "gauge", "Open files and connections.", func(i int) float64 { return float64(usage[i].OpenFiles) }},
		{"switchboard_number_start_time_seconds", "gauge", "When the present process was started, since 1970; 0 without one.",
			func(i int) float64 { return since1970(list[i]) }},
	} {
		m.family(f.name, f.kind, f.help)
		for i, inst := range list {
			m.value(f.name, f.of(i), "id", string(inst.ID))
		}
	}
	m.family("switchboard_number_status", "gauge", "1 for the status that the number has.")
	for _, inst := range list {
		m.value("switchboard_number_status", 1, "id", string(inst.ID), "status", string(inst.Status), "reason", string(inst.Reason))
	}
}

// own is the panel's own process, under the names that every program has.
func (m *exposition) own(sampler *resources.Sampler) {
	u, ok := sampler.Of("", os.Getpid())
	if !ok {
		return
	}
	m.family("process_cpu_seconds_total", "counter", "Processor time of the panel.")
	m.value("process_cpu_seconds_total", u.Busy.Seconds())
	m.family("process_resident_memory_bytes", "gauge", "Memory of the panel in RAM.")
	m.value("process_resident_memory_bytes", float64(u.RSSBytes))
	m.family("process_open_fds", "gauge", "Open files and connections of the panel.")
	m.value("process_open_fds", float64(u.OpenFiles))
}

func (o Options) reconnects(id instances.ID) int {
	if o.Reconnects == nil {
		return 0
	}
	return o.Reconnects(id)
}

func since1970(inst instances.Instance) float64 {
	if inst.StartedAt.IsZero() {
		return 0
	}
	return float64(inst.StartedAt.UnixMilli()) / 1000
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
