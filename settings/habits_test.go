package settings_test

import (
	"testing"
	"time"

	"switchboard/fault"
	"switchboard/settings"
)

func TestHabits(t *testing.T) {
	good := settings.Habits{
		Region: "DE", Automation: settings.Automation{Reply: "We are closed.", Presence: "available"},
		Pace:       settings.Pace{PerMinute: 20, NewChatPause: time.Minute, QuietFrom: 22 * 60, QuietTo: 7 * 60, Zone: "Europe/Berlin"},
		Retention:  settings.Retention{Days: 365, MediaDays: 30, MaxBytes: 1 << 30},
		NoDownload: true, MediaBytes: 10 << 20,
	}
	for field, spoil := range map[string]func(*settings.Habits){
		"":               func(*settings.Habits) {},
		"region":         func(h *settings.Habits) { h.Region = "XX" },
		"reply":          func(h *settings.Habits) { h.Automation.Reply = string(make([]byte, 5000)) },
		"presence":       func(h *settings.Habits) { h.Automation.Presence = "sometimes" },
		"per_minute":     func(h *settings.Habits) { h.Pace.PerMinute = -1 },
		"new_chat_pause": func(h *settings.Habits) { h.Pace.NewChatPause = 48 * time.Hour },
		"quiet_from":     func(h *settings.Habits) { h.Pace.QuietTo = 24 * 60 },
		"zone":           func(h *settings.Habits) { h.Pace.Zone = "Local" },
		"days":           func(h *settings.Habits) { h.Retention.Days = -1 },
		"media_days":     func(h *settings.Habits) { h.Retention.MediaDays = 1 << 40 },
		"max_bytes":      func(h *settings.Habits) { h.Retention.MaxBytes = -1 },
		"media_bytes":    func(h *settings.Habits) { h.MediaBytes = -1 },
	} {
		t.Run(field, func(t *testing.T) {
			h := good
			spoil(&h)
			s := settings.Settings{Proxy: "http://proxy.example", Webhooks: []settings.Webhook{{ID: "a"}}}
			err := s.SetHabits(h)
			if got := fault.FieldOf(err); got != field || (err == nil) != (field == "") {
				t.Fatalf("field %q, %v", got, err)
			}
			if err == nil && s.Habits() != h || err != nil && s.Habits() != (settings.Habits{}) {
				t.Errorf("settings are now %+v", s.Habits())
			}
			if s.Proxy == "" || len(s.Webhooks) != 1 {
				t.Error("what are no habits was changed")
			}
		})
	}
}
