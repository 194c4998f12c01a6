package handlers

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/settings"
	"switchboard/views"
)

// Settings keeps what a person set for a number; *settings.Keeper does. It is asked only after
// the supervisor has said that the person may see the number.
type Settings interface {
	Get(ctx context.Context, id instances.ID) (settings.Settings, error)
	Update(ctx context.Context, id instances.ID, change func(*settings.Settings) error) error
}

// getWithSettings is get, with what is set for the number.
func (s *server) getWithSettings(r *http.Request) (instances.Instance, settings.Settings, error) {
	inst, err := s.get(r)
	if err != nil {
		return inst, settings.Settings{}, err
	}
	set, err := s.Settings.Get(r.Context(), inst.ID)
	return inst, set, err
}

func (s *server) showHabits(w http.ResponseWriter, r *http.Request) error {
	r, _ = s.withFlash(w, r)
	inst, set, err := s.getWithSettings(r)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.ShowHabits(inst, views.Form{Values: views.HabitValues(set.Habits())}))
}

func (s *server) changeHabits(w http.ResponseWriter, r *http.Request) error {
	inst, err := s.get(r)
	if err != nil {
		return err
	}
	habits, err := habitsOf(r)
	if err == nil {
		err = s.Settings.Update(r.Context(), inst.ID, func(set *settings.Settings) error { return set.SetHabits(habits) })
	}
	if err != nil {
		problems, ok := refused(err)
		if !ok {
			return err
		}
		form := views.Form{Values: typed(r, views.HabitFields...), Errors: problems}
		return render(w, r, formStatus(err), views.ShowHabits(inst, form))
	}
	s.setFlash(w, r, "saved")
	s.redirect(w, r, "/instances/"+string(inst.ID)+"/settings")
	return nil
}

const megabyte = 1 << 20

// habitsOf reads the form. The error names every field that holds no number or time where one
// is due; whether they make sense is for settings to say.
func habitsOf(r *http.Request) (settings.Habits, error) {
	var wrong []error
	field := func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }
	count := func(name, what string) int {
		if field(name) == "" {
			return 0
		}
		n, err := strconv.ParseInt(field(name), 10, 32)
		if err != nil || n < 0 {
			wrong = append(wrong, fault.InField(name, "Enter "+what+", or nothing."))
		}
		return int(n)
	}
	clock := func(name string) int {
		if field(name) == "" {
			return 0
		}
		t, err := time.Parse("15:04", field(name))
		if err != nil {
			wrong = append(wrong, fault.InField(name, "Enter a time of the day, such as 22:00."))
		}
		return t.Hour()*60 + t.Minute()
	}
	h := settings.Habits{
		Region: strings.ToUpper(field("region")),
		Automation: settings.Automation{
			Reply: strings.ReplaceAll(field("reply"), "\r\n", "\n"), Read: field("read") != "",
			RejectCalls: field("reject_calls") != "", Presence: field("presence"),
		},
		Pace: settings.Pace{
			PerMinute:    count("per_minute", "a number of messages"),
			NewChatPause: time.Duration(count("new_chat_pause", "a number of seconds")) * time.Second,
			QuietFrom:    clock("quiet_from"), QuietTo: clock("quiet_to"), Zone: field("zone"),
		},
		Retention: settings.Retention{
			Days: count("days", "a number of days"), MediaDays: count("media_days", "a number of days"),
			MaxBytes: int64(count("max_bytes", "a number of MB")) * megabyte,
		},
		NoDownload: field("download") == "",
		MediaBytes: int64(count("media_bytes", "a number of MB")) * megabyte,
	}
	return h, errors.Join(wrong...)
}
