package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"switchboard/instances"
	"switchboard/proxies"
	"switchboard/settings"
)

// Settings keeps what a person set for a number; *settings.Keeper does.
type Settings interface {
	Get(ctx context.Context, id instances.ID) (settings.Settings, error)
	Update(ctx context.Context, id instances.ID, change func(*settings.Settings) error) error
}

// habits is how the API shows how a number behaves. A zero value is what is not set.
type habits struct {
	Region      string `json:"region"`
	Reply       string `json:"reply"`
	Read        bool   `json:"read"`
	RejectCalls bool   `json:"reject_calls"`
	Presence    string `json:"presence"`

	PerMinute    int    `json:"per_minute"`
	NewChatPause int64  `json:"new_chat_pause"` // seconds
	QuietFrom    int    `json:"quiet_from"`     // minutes of the day
	QuietTo      int    `json:"quiet_to"`
	Zone         string `json:"zone"`

	Days       int   `json:"days"`
	MediaDays  int   `json:"media_days"`
	MaxBytes   int64 `json:"max_bytes"`
	Download   bool  `json:"download"`
	MediaBytes int64 `json:"media_bytes"`

	Bucket *bucket `json:"bucket"` // nil: the number's folder
	Proxy  string  `json:"proxy"`  // without its password
}

func habitsOf(set settings.Settings) habits {
	h := set.Habits()
	return habits{
		Region: h.Region, Reply: h.Automation.Reply, Read: h.Automation.Read, RejectCalls: h.Automation.RejectCalls,
		Presence: h.Automation.Presence, PerMinute: h.Pace.PerMinute, NewChatPause: int64(h.Pace.NewChatPause / time.Second),
		QuietFrom: h.Pace.QuietFrom, QuietTo: h.Pace.QuietTo, Zone: h.Pace.Zone, Days: h.Retention.Days,
		MediaDays: h.Retention.MediaDays, MaxBytes: h.Retention.MaxBytes, Download: !h.NoDownload, MediaBytes: h.MediaBytes,
		Bucket: bucketOf(set.Media.Bucket), Proxy: proxies.Shown(set.Proxy),
	}
}

func (h habits) settings() settings.Habits {
	// More seconds than fit would turn into a short pause.
	pause := max(min(h.NewChatPause, int64(48*time.Hour/time.Second)), -1)
	return settings.Habits{
		Region:     h.Region,
		Automation: settings.Automation{Reply: h.Reply, Read: h.Read, RejectCalls: h.RejectCalls, Presence: h.Presence},
		Pace: settings.Pace{
			PerMinute: h.PerMinute, NewChatPause: time.Duration(pause) * time.Second,
			QuietFrom: h.QuietFrom, QuietTo: h.QuietTo, Zone: h.Zone,
		},
		Retention:  settings.Retention{Days: h.Days, MediaDays: h.MediaDays, MaxBytes: h.MaxBytes},
		NoDownload: !h.Download, MediaBytes: h.MediaBytes,
	}
}

// settingsOf returns the number that a request is about, and what is set for it.
func (s *server) settingsOf(r *http.Request) (instances.Instance, settings.Settings, error) {
	inst, err := s.Instances.Get(viewer(r), instanceID(r))
	if err != nil {
		return instances.Instance{}, settings.Settings{}, err
	}
	set, err := s.Settings.Get(r.Context(), inst.ID)
	return inst, set, err
}

func (s *server) showHabits(w http.ResponseWriter, r *http.Request) error {
	_, set, err := s.settingsOf(r)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, habitsOf(set))
}

// changeHabits changes the members that are given and leaves the others.
func (s *server) changeHabits(w http.ResponseWriter, r *http.Request) error {
	inst, err := s.Instances.Get(viewer(r), instanceID(r))
	if err != nil {
		return err
	}
	var given json.RawMessage
	if err := readJSON(w, r, &given); err != nil {
		return err
	}
	var now habits
	err = s.Settings.Update(r.Context(), inst.ID, func(set *settings.Settings) error {
		now = habitsOf(*set)
		if err := decode(given, &now); err != nil {
			return err
		}
		proxy, wrong := proxies.Wanted(now.Proxy, set.Proxy)
		if err := errors.Join(set.SetHabits(now.settings()), now.Bucket.set(&set.Media), wrong); err != nil {
			return err
		}
		set.Proxy = proxy
		now.Bucket, now.Proxy = bucketOf(set.Media.Bucket), proxies.Shown(proxy)
		return nil
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, now)
}
