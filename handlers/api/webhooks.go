package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"switchboard/auth"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/settings"
	"switchboard/sinks"
	"switchboard/webhooks"
)

// Webhooks is what is done with webhooks; webhooks.Desk does it.
type Webhooks interface {
	List(ctx context.Context, id instances.ID) ([]settings.Webhook, error)
	Get(ctx context.Context, id instances.ID, hook string) (settings.Webhook, error)
	Add(ctx context.Context, id instances.ID, wish webhooks.Wish) (settings.Webhook, error)
	Change(ctx context.Context, id instances.ID, hook string, wish webhooks.Wish) (settings.Webhook, error)
	Remove(ctx context.Context, id instances.ID, hook string) error
	Rotate(ctx context.Context, id instances.ID, hook string) (string, error)
	Deliveries
}

// Deliveries is what is done with what webhooks got.
type Deliveries interface {
	Standings(ctx context.Context, id instances.ID) (map[string]webhooks.Standing, error)
	Deliveries(ctx context.Context, id instances.ID, f webhooks.Filter, after string, limit int) ([]webhooks.Delivery, error)
	Delivery(ctx context.Context, id instances.ID, delivery string) (webhooks.Detail, error)
	Resend(ctx context.Context, v instances.Viewer, id instances.ID, f webhooks.Filter) (int64, error)
	Test(ctx context.Context, v instances.Viewer, id instances.ID, hook string) (webhooks.Attempt, error)
	Resume(ctx context.Context, v instances.Viewer, id instances.ID, hook string) error
}

// webhook is how the API shows a webhook.
type webhook struct {
	ID          string            `json:"id"`
	Shared      bool              `json:"shared"`
	Kind        sinks.Kind        `json:"kind"`
	URL         string            `json:"url"`
	Exchange    string            `json:"exchange,omitempty"`
	RoutingKey  string            `json:"routing_key,omitempty"`
	Subject     string            `json:"subject,omitempty"`
	Secret      string            `json:"secret,omitempty"`
	Events      []string          `json:"events"`
	Chats       []string          `json:"chats"`
	IgnoreChats []string          `json:"ignore_chats"`
	Headers     map[string]string `json:"headers"`
	Paused      bool              `json:"paused"`
	SkipVerify  bool              `json:"skip_verify"`
	CreatedAt   *time.Time        `json:"created_at"`
	Standing    *standing         `json:"standing,omitempty"`
}

// standing is how a webhook of a number stands.
type standing struct {
	Pending      int        `json:"pending"`
	Parked       int        `json:"parked"`
	Oldest       *time.Time `json:"oldest_pending_at"`
	FailingSince *time.Time `json:"failing_since"`
	PausedAt     *time.Time `json:"paused_at"`
	Error        string     `json:"error"`
}

func (s *server) showWebhook(r *http.Request, w settings.Webhook) webhook {
	w = webhooks.Masked(w, !user(r).May(auth.Manage))
	out := webhook{
		ID: w.ID, Shared: w.Shared, Kind: webhooks.KindOf(w), URL: w.URL, Exchange: w.Exchange, RoutingKey: w.RoutingKey, Subject: w.Subject, Events: list(w.Events), Chats: list(w.Chats), IgnoreChats: list(w.IgnoreChats),
		Headers: w.Headers, Paused: w.Paused, SkipVerify: w.SkipVerify, CreatedAt: moment(w.CreatedAt),
	}
	if out.Headers == nil {
		out.Headers = map[string]string{}
	}
	return out
}

// within answers what is asked about the number in the path, after whoever asks was found to
// see it, or else about settings.Shared.
func (s *server) within(handle func(w http.ResponseWriter, r *http.Request, id instances.ID) error) http.HandlerFunc {
	return s.answer(func(w http.ResponseWriter, r *http.Request) error {
		if chi.URLParam(r, "id") == "" {
			return handle(w, r, settings.Shared) // the door has asked for an administrator
		}
		i, err := s.Instances.Get(viewer(r), instanceID(r))
		if err != nil {
			return err
		}
		return handle(w, r, i.ID)
	})
}

func (s *server) listWebhooks(w http.ResponseWriter, r *http.Request, id instances.ID) error {
	all, err := s.Webhooks.List(r.Context(), id)
	if err != nil {
		return err
	}
	out := make([]webhook, 0, len(all))
	var how map[string]webhooks.Standing
	if id != settings.Shared && len(all) > 0 {
		if how, err = s.Webhooks.Standings(r.Context(), id); err != nil { // then nobody knows, and the rest is as useful
			s.Log.WarnContext(r.Context(), "read how webhooks stand failed", "instance", id, "error", err)
			how = nil
		}
	}
	for _, one := range all {
		shown := s.showWebhook(r, one)
		if how != nil {
			st := how[one.ID]
			shown.Standing = &standing{st.Pending, st.Parked, moment(st.Oldest), moment(st.FailingSince), moment(st.PausedAt), st.Error}
		}
		out = append(out, shown)
	}
	return writeJSON(w, http.StatusOK, out)
}

func (s *server) oneWebhook(w http.ResponseWriter, r *http.Request, id instances.ID) error {
	one, err := s.Webhooks.Get(r.Context(), id, chi.URLParam(r, "webhook"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, s.showWebhook(r, one))
}

// createWebhook answers with the secret, which is not shown again unless it is asked for.
func (s *server) createWebhook(w http.ResponseWriter, r *http.Request, id instances.ID) error {
	var in webhooks.Wish
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	made, err := s.Webhooks.Add(r.Context(), id, in)
	if err != nil {
		return err
	}
	out := s.showWebhook(r, made)
	out.Secret = made.Secret
	return writeJSON(w, http.StatusCreated, out)
}

func (s *server) changeWebhook(w http.ResponseWriter, r *http.Request, id instances.ID) error {
	var in webhooks.Wish
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	changed, err := s.Webhooks.Change(r.Context(), id, chi.URLParam(r, "webhook"), in)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, s.showWebhook(r, changed))
}

func (s *server) deleteWebhook(w http.ResponseWriter, r *http.Request, id instances.ID) error {
	if err := s.Webhooks.Remove(r.Context(), id, chi.URLParam(r, "webhook")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// secret is the answer to those who ask for one.
type secret struct {
	Secret string `json:"secret"`
}

func (s *server) revealSecret(w http.ResponseWriter, r *http.Request, id instances.ID) error {
	one, err := s.Webhooks.Get(r.Context(), id, chi.URLParam(r, "webhook"))
	if err == nil && one.Shared {
		err = user(r).Need(auth.Admin)
	}
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, secret{one.Secret})
}

func (s *server) rotateSecret(w http.ResponseWriter, r *http.Request, id instances.ID) error {
	made, err := s.Webhooks.Rotate(r.Context(), id, chi.URLParam(r, "webhook"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, secret{made})
}

// attempt is how the API shows what came of a test event.
type attempt struct {
	Delivered bool   `json:"delivered"`
	Status    int    `json:"status"`
	Latency   int64  `json:"latency_ms"`
	Error     string `json:"error"`
	Response  string `json:"response"`
}

func (s *server) testWebhook(w http.ResponseWriter, r *http.Request, id instances.ID) error {
	a, err := s.Webhooks.Test(r.Context(), viewer(r), id, chi.URLParam(r, "webhook"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, attempt{a.Error == "", a.Status, a.Latency.Milliseconds(), a.Error, a.Response})
}

func (s *server) resumeWebhook(w http.ResponseWriter, r *http.Request, id instances.ID) error {
	if err := s.Webhooks.Resume(r.Context(), viewer(r), id, chi.URLParam(r, "webhook")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

const (
	deliveriesUsual = 50
	deliveriesMost  = 500
)

// delivery is how the API shows a delivery; request and response are in the answer to those
// who ask for one.
type delivery struct {
	ID       string             `json:"id"`
	Event    string             `json:"event"`
	EventID  string             `json:"event_id"`
	Chat     string             `json:"chat"`
	Webhook  string             `json:"webhook"`
	State    webhooks.State     `json:"state"`
	At       *time.Time         `json:"at"`
	Attempts int                `json:"attempts"`
	TriedAt  *time.Time         `json:"tried_at"`
	NextAt   *time.Time         `json:"next_at"`
	Status   int                `json:"status"`
	Latency  int                `json:"latency_ms"`
	Error    string             `json:"error"`
	Request  *webhooks.Request  `json:"request,omitempty"`
	Response *webhooks.Response `json:"response,omitempty"`
}

func showDelivery(d webhooks.Delivery) delivery {
	return delivery{
		ID: d.ID, Event: d.Event, EventID: d.EventID, Chat: d.Chat, Webhook: d.Endpoint, State: d.State, At: moment(d.At),
		Attempts: d.Attempts, TriedAt: moment(d.TriedAt), NextAt: moment(d.NextAt), Status: d.Status, Latency: d.Latency, Error: d.Error,
	}
}

func (s *server) listDeliveries(w http.ResponseWriter, r *http.Request, id instances.ID) error {
	q := r.URL.Query()
	f := webhooks.Filter{Event: q.Get("event"), Endpoint: q.Get("webhook"), State: webhooks.State(q.Get("state"))}
	var err error
	if f.Since, err = instant(q, "since"); err != nil {
		return err
	}
	if f.Until, err = instant(q, "until"); err != nil {
		return err
	}
	limit := deliveriesUsual
	if text := q.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > deliveriesMost {
			return fault.InField("limit", "\"limit\" is a number from 1 to 500.")
		}
	}
	all, err := s.Webhooks.Deliveries(r.Context(), id, f, q.Get("after"), limit)
	if err != nil {
		return err
	}
	out := make([]delivery, 0, len(all))
	for _, d := range all {
		out = append(out, showDelivery(d))
	}
	return writeJSON(w, http.StatusOK, out)
}

func instant(q url.Values, name string) (time.Time, error) {
	text := q.Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fault.InField(name, "\""+name+"\" is a time as in 2026-01-31T12:00:00Z.")
	}
	return t, nil
}

func (s *server) oneDelivery(w http.ResponseWriter, r *http.Request, id instances.ID) error {
	d, err := s.Webhooks.Delivery(r.Context(), id, chi.URLParam(r, "delivery"))
	if err != nil {
		return err
	}
	out := showDelivery(d.Delivery)
	out.Request, out.Response = &d.Request, &d.Response
	return writeJSON(w, http.StatusOK, out)
}

func (s *server) resendDelivery(w http.ResponseWriter, r *http.Request, id instances.ID) error {
	err := s.resend(w, r, id, webhooks.Filter{IDs: []string{chi.URLParam(r, "delivery")}})
	if fault.FieldOf(err) == "ids" { // which are in the path here
		return errNoDelivery
	}
	return err
}

// resendDeliveries sends what is meant; everything only if that is said.
func (s *server) resendDeliveries(w http.ResponseWriter, r *http.Request, id instances.ID) error {
	var in struct {
		webhooks.Filter
		All bool `json:"all"`
	}
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	switch {
	case in.Empty() && !in.All:
		return fault.New(fault.Invalid, "Say which deliveries to send again: \"ids\", \"state\", \"event\", \"webhook\", \"since\", \"until\", or \"all\": true.")
	case len(in.IDs) > deliveriesMost:
		return fault.InField("ids", "There are 500 ids at most.")
	}
	return s.resend(w, r, id, in.Filter)
}

var errNoDelivery = fault.New(fault.NotFound, "This delivery does not exist, or not any more.")

func (s *server) resend(w http.ResponseWriter, r *http.Request, id instances.ID, f webhooks.Filter) error {
	n, err := s.Webhooks.Resend(r.Context(), viewer(r), id, f)
	if err != nil {
		return err
	}
	if len(f.IDs) == 1 && n == 0 {
		return errNoDelivery
	}
	return writeJSON(w, http.StatusAccepted, webhooks.Count{Count: n})
}
