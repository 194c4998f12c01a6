package webhooks

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchboard/engine"
	"switchboard/fault"
	"switchboard/settings"
)

// State of a delivery.
type State string

// The states. What is parked waits until a person sends it again.
const (
	Pending   State = "pending"
	Delivered State = "delivered"
	Parked    State = "parked"
)

// Delivery is what became of one event at one endpoint.
type Delivery struct {
	ID       string    `json:"id"`
	Event    string    `json:"event"`
	EventID  string    `json:"event_id"` // the header Webhook-Id
	Chat     string    `json:"chat"`
	Endpoint string    `json:"webhook"`
	State    State     `json:"state"`
	At       time.Time `json:"at"` // of the event
	Attempts int       `json:"attempts"`
	TriedAt  time.Time `json:"tried_at,omitzero"`
	NextAt   time.Time `json:"next_at,omitzero"`
	Status   int       `json:"status"` // of HTTP at the last attempt, or with which a broker refused it; 0 without one
	Latency  int       `json:"latency_ms"`
	Error    string    `json:"error"`

	seq int64
}

// Detail is a delivery with what was sent and what came back.
type Detail struct {
	Delivery
	Request  Request  `json:"request"`
	Response Response `json:"response"`
}

// Request as it goes out; secrets are masked in it.
type Request struct {
	Method     string            `json:"method"` // of HTTP; PUBLISH to a broker
	URL        string            `json:"url"`
	Exchange   string            `json:"exchange,omitempty"`
	RoutingKey string            `json:"routing_key,omitempty"` // as it is set
	Subject    string            `json:"subject,omitempty"`     // as it is set
	Headers    map[string]string `json:"headers"`
	Body       string            `json:"body"`
}

// Response is the beginning of what the endpoint answered to the last attempt.
type Response struct {
	Status int    `json:"status"`
	Body   string `json:"body"`
}

// Filter says which deliveries are meant; the zero Filter means all.
type Filter struct {
	IDs      []string  `json:"ids,omitempty"`
	Event    string    `json:"event,omitempty"` // a name, or a pattern as in a subscription
	Endpoint string    `json:"webhook,omitempty"`
	State    State     `json:"state,omitempty"`
	Since    time.Time `json:"since,omitzero"` // of the event
	Until    time.Time `json:"until,omitzero"`
}

// Empty says whether the filter means all deliveries.
func (f Filter) Empty() bool {
	return len(f.IDs) == 0 && f.Event == "" && f.Endpoint == "" && f.State == "" && f.Since.IsZero() && f.Until.IsZero()
}

// where is the filter as a condition on deliveries d and events e.
func (f Filter) where() (string, []any, error) {
	var all []string
	var args []any
	and := func(condition string, values ...any) {
		for _, v := range values {
			args = append(args, v)
			condition = strings.Replace(condition, "?", "$"+strconv.Itoa(len(args)), 1)
		}
		all = append(all, condition)
	}
	if len(f.IDs) > 0 {
		var any []string
		for _, id := range f.IDs {
			seq, endpoint, err := parseID(id)
			if err != nil {
				return "", nil, err
			}
			args = append(args, seq, endpoint)
			any = append(any, fmt.Sprintf(`(d."event" = $%d AND d."endpoint" = $%d)`, len(args)-1, len(args)))
		}
		all = append(all, "("+strings.Join(any, " OR ")+")")
	}
	if prefix, pattern := strings.CutSuffix(strings.ToLower(f.Event), "*"); pattern {
		and(`substr(e."name", 1, ?) = ?`, len(prefix), prefix)
	} else if f.Event != "" {
		and(`e."name" = ?`, prefix)
	}
	if f.Endpoint != "" {
		and(`d."endpoint" = ?`, f.Endpoint)
	}
	switch f.State {
	case "":
	case Pending, Delivered, Parked:
		and(`d."state" = ?`, string(f.State))
	default:
		return "", nil, fault.InField("state", "The state of a delivery is pending, delivered or parked.")
	}
	if !f.Since.IsZero() {
		and(`e."at" >= ?`, f.Since.UnixMilli())
	}
	if !f.Until.IsZero() {
		and(`e."at" < ?`, f.Until.UnixMilli())
	}
	if len(all) == 0 {
		all = []string{"1 = 1"}
	}
	return strings.Join(all, " AND "), args, nil
}

func idOf(seq int64, endpoint string) string { return strconv.FormatInt(seq, 10) + "-" + endpoint }

func parseID(id string) (seq int64, endpoint string, err error) {
	number, endpoint, ok := strings.Cut(id, "-")
	if seq, err = strconv.ParseInt(number, 10, 64); err != nil || !ok {
		return 0, "", fault.InField("ids", "This is no id of a delivery.")
	}
	return seq, endpoint, nil
}

const columns = `d."event", d."endpoint", d."chat", d."state", d."attempts", d."next_at", d."tried_at", d."status",
	d."latency_ms", d."error", e."id", e."name", e."at"`

func scan(row engine.Row, more ...any) (Delivery, error) {
	var d Delivery
	var next, tried, at int64
	err := row.Scan(append([]any{&d.seq, &d.Endpoint, &d.Chat, &d.State, &d.Attempts, &next, &tried, &d.Status,
		&d.Latency, &d.Error, &d.EventID, &d.Event, &at}, more...)...)
	d.ID, d.At, d.TriedAt = idOf(d.seq, d.Endpoint), time.UnixMilli(at).UTC(), engine.Moment(tried)
	if d.State == Pending {
		d.NextAt = engine.Moment(next)
	}
	return d, err
}

// List returns deliveries, the latest event first: limit at most, of those that come after
// the one with the id after, "" for the first ones.
func List(ctx context.Context, db *sql.DB, f Filter, after string, limit int) ([]Delivery, error) {
	where, args, err := f.where()
	if err != nil {
		return nil, err
	}
	if after != "" {
		seq, endpoint, err := parseID(after)
		if err != nil {
			return nil, fault.InField("after", "This is no id of a delivery.")
		}
		args = append(args, seq, endpoint)
		where += fmt.Sprintf(` AND (d."event", d."endpoint") < ($%d, $%d)`, len(args)-1, len(args))
	}
	args = append(args, limit)
	all, err := engine.All(ctx, db, "list deliveries", func(r engine.Row) (Delivery, error) { return scan(r) },
		`SELECT `+columns+` FROM "deliveries" d JOIN "events" e ON e."seq" = d."event"
		WHERE `+where+fmt.Sprintf(` ORDER BY d."event" DESC, d."endpoint" DESC LIMIT $%d`, len(args)), args...)
	if all == nil {
		all = []Delivery{} // for JSON
	}
	return all, err
}

// Find returns one delivery as it goes to one of the webhooks in list. An unknown one is a
// fault.NotFound.
func Find(ctx context.Context, db *sql.DB, id string, list []settings.Webhook) (Detail, error) {
	unknown := fault.New(fault.NotFound, "This delivery does not exist, or not any more.")
	seq, endpoint, err := parseID(id)
	if err != nil {
		return Detail{}, unknown
	}
	var out Detail
	out.Delivery, err = scan(db.QueryRowContext(ctx, `SELECT `+columns+`, e."body", d."response"
		FROM "deliveries" d JOIN "events" e ON e."seq" = d."event" WHERE d."event" = $1 AND d."endpoint" = $2`, seq, endpoint),
		&out.Request.Body, &out.Response.Body)
	if errors.Is(err, sql.ErrNoRows) {
		return Detail{}, unknown
	} else if err != nil {
		return Detail{}, fmt.Errorf("read delivery: %w", err)
	}
	out.Request.Method, out.Response.Status = http.MethodPost, out.Status
	if i := slices.IndexFunc(list, func(w settings.Webhook) bool { return w.ID == endpoint }); i >= 0 {
		p := newEndpoint(list[i])
		out.Request.URL = MaskURL(p.URL)
		out.Request.Exchange, out.Request.RoutingKey, out.Request.Subject = p.Exchange, p.RoutingKey, p.Subject
		if p.Kind != "" {
			out.Request.Method = "PUBLISH"
		}
		at := out.TriedAt
		if at.IsZero() {
			at = out.At
		}
		out.Request.Headers = map[string]string{}
		for name := range headersOf(p, out.EventID, nil, at) {
			out.Request.Headers[name] = hidden
		}
		plain := newEndpoint(settings.Webhook{Kind: p.Kind}) // has neither a secret nor headers of its own
		for name, values := range headersOf(plain, out.EventID, nil, at) {
			out.Request.Headers[name] = values[0]
		}
	}
	return out, nil
}

// Standing is how an endpoint stands.
type Standing struct {
	Pending      int       `json:"pending"`
	Parked       int       `json:"parked"`
	Oldest       time.Time `json:"oldest_pending_at,omitzero"` // of the pending events
	FailingSince time.Time `json:"failing_since,omitzero"`     // it has taken nothing since
	PausedAt     time.Time `json:"paused_at,omitzero"`         // it was paused because of that
	Error        string    `json:"error"`                      // of the last attempt
}

// Standings returns how the endpoints stand by their ids; of one that is not there, nothing
// waits.
func Standings(ctx context.Context, db *sql.DB) (map[string]Standing, error) {
	all := map[string]Standing{}
	err := engine.Each(ctx, db, "count deliveries", func(r engine.Row) error {
		var id string
		var state State
		var count int
		var oldest int64
		if err := r.Scan(&id, &state, &count, &oldest); err != nil {
			return err
		}
		s := all[id]
		if state == Pending {
			s.Pending, s.Oldest = count, engine.Moment(oldest)
		} else {
			s.Parked = count
		}
		all[id] = s
		return nil
	}, `SELECT d."endpoint", d."state", count(*), min(e."at") FROM "deliveries" d JOIN "events" e ON e."seq" = d."event"
		WHERE d."state" <> 'delivered' GROUP BY d."endpoint", d."state"`)
	if err != nil {
		return nil, err
	}
	return all, engine.Each(ctx, db, "read how webhooks stand", func(r engine.Row) error {
		var id, text string
		var since, paused int64
		if err := r.Scan(&id, &since, &paused, &text); err != nil {
			return err
		}
		s := all[id]
		s.FailingSince, s.PausedAt, s.Error = engine.Moment(since), engine.Moment(paused), text
		all[id] = s
		return nil
	}, `SELECT "id", "failing_since", "paused_at", "error" FROM "endpoints"`)
}
