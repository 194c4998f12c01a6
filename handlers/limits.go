package handlers

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"switchboard/auth"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/settings"
	"switchboard/views"
)

func (s *server) showLimits(w http.ResponseWriter, r *http.Request) error {
	r, _ = s.withFlash(w, r)
	inst, set, err := s.getWithSettings(r)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.ShowLimits(s.limitsPage(inst, views.Form{Values: views.LimitValues(set.Limits)})))
}

func (s *server) limitsPage(inst instances.Instance, f views.Form) views.Limits {
	now, runs := s.Usage.Of(string(inst.ID), inst.PID)
	return views.Limits{Instance: inst, Form: f, All: s.Bounds.All, Groups: s.Bounds.Groups, Folder: s.Bounds.Folder(inst.ID), Now: now, Runs: runs}
}

// toLimit is the number in the path, for those who may limit it.
func (s *server) toLimit(r *http.Request) (instances.Instance, error) {
	inst, err := s.get(r)
	if err == nil {
		err = person(r).Need(auth.Admin)
	}
	return inst, err
}

// moreRoom lets a number that was at the limit of its folder have half as much again, with which
// it starts: what would make room in it does so while it runs.
func (s *server) moreRoom(w http.ResponseWriter, r *http.Request) error {
	inst, err := s.toLimit(r)
	if err != nil {
		return err
	}
	if inst.Reason != instances.DiskLimit {
		return fault.New(fault.Conflict, "This number has room by now.")
	}
	folder := s.Bounds.Folder(inst.ID)
	err = s.Settings.Update(r.Context(), inst.ID, func(set *settings.Settings) error {
		own := set.Limits
		own.Disk = max(own.Or(s.Bounds.All).Disk, folder, settings.LeastDisk) / 2 * 3
		return set.SetLimits(own, folder)
	})
	if err != nil {
		return err
	}
	s.setFlash(w, r, "more-room")
	s.redirect(w, r, "/instances/"+string(inst.ID))
	return nil
}

func (s *server) changeLimits(w http.ResponseWriter, r *http.Request) error {
	inst, err := s.toLimit(r)
	if err != nil {
		return err
	}
	limits, wrong := typedLimits(r)
	folder := s.Bounds.Folder(inst.ID)
	err = s.Settings.Update(r.Context(), inst.ID, func(set *settings.Settings) error {
		return errors.Join(wrong, set.SetLimits(limits, folder)) // everything that is wrong is said at once
	})
	if err != nil {
		problems, ok := refused(err)
		if !ok {
			return err
		}
		form := views.Form{Values: typed(r, views.LimitFields...), Errors: problems}
		return render(w, r, formStatus(err), views.ShowLimits(s.limitsPage(inst, form)))
	}
	s.setFlash(w, r, "saved")
	s.redirect(w, r, "/instances/"+string(inst.ID)+"/limits")
	return nil
}

// typedLimits reads the form. The error names every field that holds no number where one is due.
func typedLimits(r *http.Request) (instances.Limits, error) {
	var wrong []error
	count := func(name, what string, unit int64) int64 {
		text := strings.TrimSpace(r.PostFormValue(name))
		if text == "" {
			return 0
		}
		n, err := strconv.ParseInt(text, 10, 40)
		if err != nil || n <= 0 {
			n = 0
			wrong = append(wrong, fault.InField(name, "Enter "+what+" as a whole number, or nothing for the limit of all numbers."))
		}
		return n * unit
	}
	l := instances.Limits{
		Memory: count("memory_bytes", "MB", megabyte), CPU: count("cpu_percent", "percent", 1), OpenFiles: count("open_files", "files", 1),
		Log: count("log_bytes", "MB", megabyte), Disk: count("disk_bytes", "MB", megabyte),
	}
	return l, errors.Join(wrong...)
}
