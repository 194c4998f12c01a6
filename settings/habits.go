package settings

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"switchboard/fault"
	"switchboard/phonenumber"
)

// Habits are how a number behaves: the part of its settings that is neither an endpoint nor a
// secret.
type Habits struct {
	Region     string
	Automation Automation
	Pace       Pace
	Retention  Retention
	NoDownload bool  // see Media
	MediaBytes int64 // see Media.MaxBytes
}

// Habits returns that part of s.
func (s Settings) Habits() Habits {
	return Habits{s.Region, s.Automation, s.Pace, s.Retention, s.Media.NoDownload, s.Media.MaxBytes}
}

// SetHabits changes that part of s. The error is a fault that names every field that cannot be
// as it is, and s is then as it was.
func (s *Settings) SetHabits(h Habits) error {
	if err := h.check(); err != nil {
		return err
	}
	s.Region, s.Automation, s.Pace, s.Retention = h.Region, h.Automation, h.Pace, h.Retention
	s.Media.NoDownload, s.Media.MaxBytes = h.NoDownload, h.MediaBytes
	return nil
}

const (
	longestReply = 4096 // characters
	mostPerMin   = 600
	longestPause = 24 * time.Hour
	longestKeep  = 36500 // days
	mostBytes    = 1 << 50
	minutesADay  = 24 * 60
)

func (h Habits) check() error {
	var wrong []error
	need := func(ok bool, field, sentence string) {
		if !ok {
			wrong = append(wrong, fault.InField(field, sentence))
		}
	}
	days := func(n int, field string) {
		need(n >= 0 && n <= longestKeep, field, "Enter a number of days, or nothing to keep everything.")
	}
	bytes := func(n int64, field string) {
		need(n >= 0 && n <= mostBytes, field, "Enter a size in MB, or nothing for no limit.")
	}
	need(h.Region == "" || phonenumber.Known(h.Region), "region", "This is not the two-letter code of a country. Germany is DE, Brazil is BR.")
	need(utf8.ValidString(h.Automation.Reply) && utf8.RuneCountInString(h.Automation.Reply) <= longestReply, "reply",
		fmt.Sprintf("The answer can have %d characters at most.", longestReply))
	switch h.Automation.Presence {
	case "", "available", "unavailable":
	default:
		need(false, "presence", "The presence has to be available, unavailable or nothing.")
	}
	need(h.Pace.PerMinute >= 0 && h.Pace.PerMinute <= mostPerMin, "per_minute", fmt.Sprintf("Enter a number of messages from 1 to %d, or nothing for no limit.", mostPerMin))
	need(h.Pace.NewChatPause >= 0 && h.Pace.NewChatPause <= longestPause, "new_chat_pause", "Enter a number of seconds up to a day, or nothing for no pause.")
	clock := func(n int) bool { return n >= 0 && n < minutesADay }
	need(clock(h.Pace.QuietFrom) && clock(h.Pace.QuietTo), "quiet_from", "Enter times of the day, such as 22:00 and 07:00.")
	_, err := time.LoadLocation(h.Pace.Zone)
	need(err == nil && h.Pace.Zone != "Local", "zone", "This is not the name of a time zone. One looks like Europe/Berlin.")
	days(h.Retention.Days, "days")
	days(h.Retention.MediaDays, "media_days")
	bytes(h.Retention.MaxBytes, "max_bytes")
	bytes(h.MediaBytes, "media_bytes")
	return errors.Join(wrong...)
}
