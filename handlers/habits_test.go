package handlers

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"switchboard/auth"
	"switchboard/settings"
)

func TestHabitsPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	s.numbers.set(connected(s.owner))
	page := "/instances/" + string(known)
	b.get(page).has(t, `href="`+page+`/settings"`)
	b.get(page+"/settings").has(t, `data-testid="habits-form"`, `name="download" value="yes" data-testid="download" checked`)

	post := func(region, days string) answer {
		return b.post(page+"/settings",
			"region", region, "reply", "Closed <today>.\r\nWrite tomorrow.", "read", "yes", "presence", "available",
			"per_minute", "20", "new_chat_pause", "30", "quiet_from", "22:00", "quiet_to", "07:30", "zone", "Europe/Berlin",
			"days", days, "media_days", "", "max_bytes", "2048", "media_bytes", "10")
	}
	post("de", "365")
	set, err := s.settings.Get(t.Context(), known)
	if err != nil {
		t.Fatal(err)
	}
	want := settings.Habits{
		Region: "DE", Automation: settings.Automation{Reply: "Closed <today>.\nWrite tomorrow.", Read: true, Presence: "available"},
		Pace:      settings.Pace{PerMinute: 20, NewChatPause: 30 * time.Second, QuietFrom: 22 * 60, QuietTo: 7*60 + 30, Zone: "Europe/Berlin"},
		Retention: settings.Retention{Days: 365, MaxBytes: 2 << 30}, NoDownload: true, MediaBytes: 10 << 20,
	}
	if set.Habits() != want {
		t.Errorf("stored is %+v", set.Habits())
	}
	b.get(page+"/settings").has(t, "Saved.", "Closed &lt;today&gt;.", `value="22:00"`, `value="2048"`, `value="DE"`)

	// It holds in the panel as well.
	b.post(page+"/messages", "to", "0170 7654321", "text", "hello")
	if calls := s.numbers.calls(); !slices.Contains(calls, "send "+string(known)+" 491707654321 hello") {
		t.Errorf("asked %q", calls)
	}

	refused := post("de", "soon")
	if refused.code != http.StatusUnprocessableEntity || !strings.Contains(refused.body, "Enter a number of days") || !strings.Contains(refused.body, `value="soon"`) {
		t.Errorf("%d %s", refused.code, refused.body)
	}
	post("xx", "").has(t, "not the two-letter code")
	post("Germany", "").has(t, "not the two-letter code", `value="Germany"`)
	b.get(page+"/settings").lacks(t, `maxlength="2"`) // which would make Georgia of Germany
	if set, _ = s.settings.Get(t.Context(), known); set.Habits() != want {
		t.Error("a refused form changed something")
	}
}
