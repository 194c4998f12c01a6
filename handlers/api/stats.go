package api

import (
	"net/http"

	"switchboard/instances"
)

// stats is how all numbers together are, of those that the person sees.
type stats struct {
	Total     int                      `json:"total"`
	ByStatus  map[instances.Status]int `json:"by_status"`
	Restarts  int                      `json:"restarts"`
	Resources usage                    `json:"resources"`
	Boot      boot                     `json:"boot"`
	Rollout   *rollout                 `json:"rollout"`
}

type boot struct {
	Total int `json:"total"`
	Done  int `json:"done"`
}

type rollout struct {
	Version string       `json:"version"`
	From    string       `json:"from"`
	Total   int          `json:"total"`
	Done    int          `json:"done"`
	Stopped bool         `json:"stopped"`
	At      instances.ID `json:"stopped_at"`
}

func (s *server) showStats(w http.ResponseWriter, r *http.Request) error {
	out := stats{ByStatus: map[instances.Status]int{}}
	b, ro := s.Instances.Boot(), s.Instances.Rollout()
	out.Boot = boot{b.Total, b.Done}
	if ro.Version != "" {
		out.Rollout = &rollout{Version: ro.Version, From: ro.Old, Total: ro.Total, Done: ro.Done, Stopped: ro.Stopped != ""}
	}
	for _, i := range s.Instances.List(viewer(r)) {
		out.Total++
		out.ByStatus[i.Status]++
		out.Restarts += i.Restarts
		if u, ok := s.Usage(i.ID, i.PID); ok {
			out.Resources.CPUPercent += u.CPUPercent
			out.Resources.RSSBytes += u.RSSBytes
			out.Resources.OwnBytes += u.OwnBytes
			out.Resources.OpenFiles += u.OpenFiles
		}
		if out.Rollout != nil && ro.Stopped == i.ID { // whose number it is elsewhere is not told
			out.Rollout.At = i.ID
		}
	}
	return writeJSON(w, http.StatusOK, out)
}
