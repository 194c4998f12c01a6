package views

import (
	"fmt"
	"strconv"

	"switchboard/settings"
)

// HabitFields are the names of the fields in which a person says how a number behaves.
var HabitFields = []string{
	"region", "reply", "read", "reject_calls", "presence", "per_minute", "new_chat_pause",
	"quiet_from", "quiet_to", "zone", "days", "media_days", "max_bytes", "download", "media_bytes",
}

// HabitValues fills these fields. What is zero, and so not set, is left empty.
func HabitValues(h settings.Habits) map[string]string {
	values := map[string]string{
		"region": h.Region, "reply": h.Automation.Reply, "presence": h.Automation.Presence, "zone": h.Pace.Zone,
		"read": checked(h.Automation.Read), "reject_calls": checked(h.Automation.RejectCalls), "download": checked(!h.NoDownload),
		"per_minute": orEmpty(int64(h.Pace.PerMinute)), "new_chat_pause": orEmpty(int64(h.Pace.NewChatPause.Seconds())),
		"days": orEmpty(int64(h.Retention.Days)), "media_days": orEmpty(int64(h.Retention.MediaDays)),
		"max_bytes": orEmpty(h.Retention.MaxBytes >> 20), "media_bytes": orEmpty(h.MediaBytes >> 20),
	}
	if h.Pace.QuietFrom != h.Pace.QuietTo {
		values["quiet_from"], values["quiet_to"] = timeOfDay(h.Pace.QuietFrom), timeOfDay(h.Pace.QuietTo)
	}
	return values
}

func orEmpty(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

func checked(yes bool) string {
	if yes {
		return "yes"
	}
	return ""
}

func timeOfDay(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }
