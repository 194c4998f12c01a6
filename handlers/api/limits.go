package api

import (
	"encoding/json"
	"net/http"

	"switchboard/instances"
	"switchboard/settings"
)

// limits is how the API shows what a number may use; null where there is no limit.
type limits struct {
	Memory    *int64 `json:"memory_bytes"`
	CPU       *int64 `json:"cpu_percent"`
	OpenFiles *int64 `json:"open_files"`
	Log       *int64 `json:"log_bytes"`
	Disk      *int64 `json:"disk_bytes"`
}

func limitsOf(l instances.Limits) limits {
	some := func(n int64) *int64 {
		if n == 0 {
			return nil
		}
		return &n
	}
	return limits{some(l.Memory), some(l.CPU), some(l.OpenFiles), some(l.Log), some(l.Disk)}
}

func (l limits) settings() instances.Limits {
	value := func(n *int64) int64 {
		switch {
		case n == nil:
			return 0
		case *n == 0:
			return -1 // is refused: what is none of its own is null
		}
		return *n
	}
	return instances.Limits{Memory: value(l.Memory), CPU: value(l.CPU), OpenFiles: value(l.OpenFiles), Log: value(l.Log), Disk: value(l.Disk)}
}

// inForce are the limits that a number keeps to as it runs, nil if it does not run or has not
// said so yet.
func (s *server) inForce(i instances.Instance) *limits {
	if i.Limits == (instances.Limits{}) {
		return nil
	}
	if !s.Bounds.Groups {
		i.Limits.CPU = 0
	}
	now := limitsOf(i.Limits)
	return &now
}

// bounds are the limits of a number: its own, which are null where those of all numbers hold.
type bounds struct {
	limits
	All     limits  `json:"default"`
	InForce *limits `json:"in_force"`
}

func (s *server) showLimits(w http.ResponseWriter, r *http.Request) error {
	i, set, err := s.settingsOf(r)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, bounds{limitsOf(set.Limits), limitsOf(s.Bounds.All), s.inForce(i)})
}

// changeLimits changes the members that are given and leaves the others.
func (s *server) changeLimits(w http.ResponseWriter, r *http.Request) error {
	i, err := s.Instances.Get(viewer(r), instanceID(r))
	if err != nil {
		return err
	}
	var given json.RawMessage
	if err := readJSON(w, r, &given); err != nil {
		return err
	}
	folder := s.Bounds.Folder(i.ID)
	err = s.Settings.Update(r.Context(), i.ID, func(set *settings.Settings) error {
		now := limitsOf(set.Limits)
		if err := decode(given, &now); err != nil {
			return err
		}
		return set.SetLimits(now.settings(), folder)
	})
	if err != nil {
		return err
	}
	return s.showLimits(w, r)
}
