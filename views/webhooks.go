package views

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"switchboard/instances"
	"switchboard/settings"
	"switchboard/webhooks"
)

// Webhooks is the page of the webhooks of a number, or of those for all numbers.
type Webhooks struct {
	Instance  *instances.Instance // nil: for all numbers
	List      []settings.Webhook  // masked
	Standings map[string]webhooks.Standing
	Unknown   bool // how they stand cannot be found out at the moment
	Add       Form
	Secret    string // of the webhook Of, shown because somebody asked
	Of        string
	Tried     *webhooks.Attempt // what a test event to the webhook Of came to
}

// EditWebhook is the page where one is changed.
type EditWebhook struct {
	Instance *instances.Instance
	Webhook  settings.Webhook
	Form     Form
}

// Deliveries is a page of what webhooks got and are to get.
type Deliveries struct {
	Instance instances.Instance
	List     []webhooks.Delivery
	More     bool
	Webhooks []settings.Webhook // masked
	Query    url.Values
	Oldest   time.Time // of what waits
	Runs     bool      // something can be sent again
}

// OneDelivery is the page of one of them.
type OneDelivery struct {
	Instance instances.Instance
	Delivery webhooks.Detail
	Runs     bool
}

// Stuck is a webhook that has taken nothing for a while.
type Stuck struct {
	URL    string
	Since  time.Time
	Paused bool // it is tried once an hour only
}

// WebhookValues are the fields of a webhook as a form has them.
func WebhookValues(w settings.Webhook) map[string]string {
	lines := make([]string, 0, len(w.Headers))
	for _, name := range slices.Sorted(maps.Keys(w.Headers)) {
		lines = append(lines, name+": "+w.Headers[name])
	}
	values := map[string]string{
		"kind": string(webhooks.KindOf(w)), "exchange": w.Exchange, "routing_key": w.RoutingKey, "subject": w.Subject,
		"url": w.URL, "events": strings.Join(w.Events, ", "), "chats": strings.Join(w.Chats, ", "),
		"ignore_chats": strings.Join(w.IgnoreChats, ", "), "headers": strings.Join(lines, "\n"),
	}
	if w.SkipVerify {
		values["skip_verify"] = "yes"
	}
	return values
}

// below is the path of webhooks.
func below(inst *instances.Instance) string {
	if inst == nil {
		return "/webhooks"
	}
	return "/instances/" + string(inst.ID) + "/webhooks"
}

func deliveriesPath(inst instances.Instance) string {
	return "/instances/" + string(inst.ID) + "/deliveries"
}

// older is the address of the next page.
func (d Deliveries) older() string {
	q := url.Values{}
	for _, keep := range []string{"event", "webhook", "state", "since", "until"} {
		if v := d.Query.Get(keep); v != "" {
			q.Set(keep, v)
		}
	}
	q.Set("after", d.List[len(d.List)-1].ID)
	return deliveriesPath(d.Instance) + "?" + q.Encode()
}

// filtered says whether the list shows a part only.
func (d Deliveries) filtered() bool {
	for _, name := range []string{"event", "webhook", "state", "since", "until"} {
		if d.Query.Get(name) != "" {
			return true
		}
	}
	return false
}

// name is how a webhook is called in a list.
func (d Deliveries) name(id string) string {
	for _, w := range d.Webhooks {
		if w.ID == id {
			return webhooks.MaskURL(w.URL)
		}
	}
	return "a webhook that was deleted"
}

// fixed says whether a webhook is changed elsewhere: those for all numbers at their own
// place, those of variables in the configuration.
func fixed(inst *instances.Instance, w settings.Webhook) bool {
	return inst != nil && w.Shared || strings.HasPrefix(w.ID, webhooks.VariablePrefix)
}

// hookTone and hookWord say how a webhook stands.
func hookTone(w settings.Webhook, s webhooks.Standing) string {
	switch {
	case w.Paused:
		return "quiet"
	case !s.PausedAt.IsZero():
		return "bad"
	case !s.FailingSince.IsZero() || s.Parked > 0:
		return "warning"
	}
	return "good"
}

func hookWord(ctx context.Context, w settings.Webhook, s webhooks.Standing) string {
	now := shell(ctx).Now
	switch {
	case w.Paused:
		return "Paused. Events wait until you resume it."
	case !s.PausedAt.IsZero():
		return "It has taken nothing for " + span(now.Sub(s.FailingSince)) + ", so it is tried only once an hour now. Nothing is lost: it goes on from where it stopped."
	case !s.FailingSince.IsZero():
		return "It has taken nothing for " + span(now.Sub(s.FailingSince)) + ". Events wait and are tried again."
	case s.Parked > 0:
		return "It takes events, but refused some for more than a day."
	}
	return "Nothing was refused so far."
}

func waiting(ctx context.Context, s webhooks.Standing) string {
	text := "No event waits"
	if s.Pending > 0 {
		text = count(s.Pending, "event") + " waiting, the oldest for " + span(shell(ctx).Now.Sub(s.Oldest))
	}
	if s.Parked > 0 {
		text += " · " + count(s.Parked, "event") + " given up"
	}
	return text
}

func eventsWord(w settings.Webhook) string {
	text := "all events"
	if len(w.Events) > 0 {
		text = strings.Join(w.Events, ", ")
	}
	if len(w.Chats) > 0 {
		text += " · only " + strings.Join(w.Chats, ", ")
	}
	if len(w.IgnoreChats) > 0 {
		text += " · not " + strings.Join(w.IgnoreChats, ", ")
	}
	return text
}

func stateWord(d webhooks.Delivery) string {
	switch {
	case d.State == webhooks.Delivered:
		return "Delivered"
	case d.State == webhooks.Parked:
		return "Given up"
	case d.Attempts > 0:
		return "Trying again"
	}
	return "Waiting"
}

func stateTone(d webhooks.Delivery) string {
	switch {
	case d.State == webhooks.Delivered:
		return "good"
	case d.State == webhooks.Parked:
		return "bad"
	case d.Attempts > 0:
		return "warning"
	}
	return "busy"
}

func answerWord(d webhooks.Delivery) string {
	switch {
	case d.Attempts == 0:
		return "not tried yet"
	case d.Status == 0 && d.State == webhooks.Delivered:
		return "taken in " + number(d.Latency) + " ms"
	case d.Status == 0:
		return "not taken"
	}
	return number(d.Status) + " in " + number(d.Latency) + " ms"
}

// tries goes on where their number stands.
func tries(n int) string {
	if n == 1 {
		return " try"
	}
	return " tries"
}

func triedWord(a webhooks.Attempt) string {
	ms := number(int(a.Latency.Milliseconds())) + " ms"
	switch {
	case a.Error == "" && a.Status == 0:
		return "The test event arrived: the broker took it in " + ms + "."
	case a.Error == "":
		return "The test event arrived: the endpoint answered " + number(a.Status) + " in " + ms + "."
	}
	return "The test event did not arrive. " + a.Error
}

func headerLines(headers map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		b.WriteString(name + ": " + headers[name] + "\n")
	}
	return b.String()
}
