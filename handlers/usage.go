package handlers

import (
	"context"
	"net/http"

	"switchboard/instances"
	"switchboard/resources"
	"switchboard/views"
)

func (s *server) usageLive(ctx context.Context, inst instances.Instance) (views.Live, error) {
	now, runs := s.Usage.Of(string(inst.ID), inst.PID)
	gauges := views.Gauges(now, runs, s.Usage.Day(string(inst.ID)))
	return views.NewLive(ctx, "usage", "/instances/"+string(inst.ID)+"/usage", "30s", views.UsageCard(gauges, runs || inst.PID == 0))
}

func (s *server) pollUsage(w http.ResponseWriter, r *http.Request) error {
	inst, err := s.get(r)
	if err != nil {
		return err
	}
	live, err := s.usageLive(r.Context(), inst)
	if err != nil {
		return err
	}
	return renderLive(w, r, live)
}

// totals says what the numbers of a list use together.
func (s *server) totals(list []instances.Instance) string {
	running, all := 0, resources.Usage{}
	for _, inst := range list {
		if u, ok := s.Usage.Of(string(inst.ID), inst.PID); ok {
			running++
			all.CPUPercent += u.CPUPercent
			all.OwnBytes += u.OwnBytes
		}
	}
	return views.Totals(running, all)
}
