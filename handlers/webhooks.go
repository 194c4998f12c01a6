package handlers

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/settings"
	"switchboard/views"
	"switchboard/webhooks"
)

const deliveriesPage = 50

// hooked is the number whose webhooks a request is about, nil and settings.Shared for those
// for all numbers.
func (s *server) hooked(r *http.Request) (*instances.Instance, instances.ID, error) {
	if chi.URLParam(r, "id") == "" {
		return nil, settings.Shared, nil
	}
	inst, err := s.get(r)
	return &inst, inst.ID, err
}

func (s *server) showWebhooks(w http.ResponseWriter, r *http.Request) error {
	r, _ = s.withFlash(w, r)
	add := views.Form{Values: map[string]string{"kind": r.URL.Query().Get("kind")}}
	return s.renderWebhooks(w, r, http.StatusOK, views.Webhooks{Add: add})
}

func (s *server) renderWebhooks(w http.ResponseWriter, r *http.Request, status int, p views.Webhooks) error {
	inst, id, err := s.hooked(r)
	if err != nil {
		return err
	}
	p.Instance = inst
	if p.List, err = s.masked(r, id); err != nil {
		return err
	}
	if inst != nil && len(p.List) > 0 {
		if p.Standings, err = s.Webhooks.Standings(r.Context(), id); err != nil {
			// Webhooks can be changed all the same.
			s.Log.WarnContext(r.Context(), "read how webhooks stand failed", "instance", id, "error", err)
			p.Unknown = true
		}
	}
	return render(w, r, status, views.ShowWebhooks(p))
}

// masked lists webhooks as whoever looks may see them.
func (s *server) masked(r *http.Request, id instances.ID) ([]settings.Webhook, error) {
	list, err := s.Webhooks.List(r.Context(), id)
	out := make([]settings.Webhook, 0, len(list))
	for _, one := range list {
		out = append(out, webhooks.Masked(one, !person(r).MayChange()))
	}
	return out, err
}

// webhookWish reads a webhook's form.
func webhookWish(r *http.Request) webhooks.Wish {
	text := func(name string) *string { return new(strings.TrimSpace(r.PostFormValue(name))) }
	entries := func(name string) *[]string {
		list := strings.FieldsFunc(r.PostFormValue(name), func(c rune) bool { return c == ',' || c == ' ' || c == '\n' || c == '\r' })
		return &list
	}
	headers := map[string]string{}
	for line := range strings.Lines(r.PostFormValue("headers")) {
		if line = strings.TrimSpace(line); line != "" {
			name, value, _ := strings.Cut(line, ":")
			headers[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	return webhooks.Wish{
		Kind: text("kind"), URL: text("url"), Exchange: text("exchange"), RoutingKey: text("routing_key"), Subject: text("subject"),
		Events: entries("events"), Chats: entries("chats"), IgnoreChats: entries("ignore_chats"), Headers: &headers,
		SkipVerify: new(r.PostFormValue("skip_verify") != ""),
	}
}

var webhookForm = []string{"kind", "url", "exchange", "routing_key", "subject", "events", "chats", "ignore_chats", "headers", "skip_verify"}

// createWebhook answers with the page itself, which has the secret.
func (s *server) createWebhook(w http.ResponseWriter, r *http.Request) error {
	_, id, err := s.hooked(r)
	if err != nil {
		return err
	}
	made, err := s.Webhooks.Add(r.Context(), id, webhookWish(r))
	if err != nil {
		problems, ok := refused(err)
		if !ok {
			return err
		}
		return s.renderWebhooks(w, r, formStatus(err), views.Webhooks{Add: views.Form{Values: typed(r, webhookForm...), Errors: problems}})
	}
	return s.renderWebhooks(w, r, http.StatusCreated, views.Webhooks{Of: made.ID, Secret: made.Secret})
}

// webhookOf finds the webhook in the path.
func (s *server) webhookOf(r *http.Request) (inst *instances.Instance, id instances.ID, hook settings.Webhook, err error) {
	if inst, id, err = s.hooked(r); err == nil {
		hook, err = s.Webhooks.Get(r.Context(), id, chi.URLParam(r, "webhook"))
	}
	return inst, id, hook, err
}

func (s *server) editWebhook(w http.ResponseWriter, r *http.Request) error {
	inst, _, hook, err := s.webhookOf(r)
	if err != nil {
		return err
	}
	hook = webhooks.Masked(hook, false)
	return render(w, r, http.StatusOK, views.ShowWebhook(views.EditWebhook{Instance: inst, Webhook: hook, Form: views.Form{Values: views.WebhookValues(hook)}}))
}

func (s *server) changeWebhook(w http.ResponseWriter, r *http.Request) error {
	inst, id, hook, err := s.webhookOf(r)
	if err != nil {
		return err
	}
	if _, err := s.Webhooks.Change(r.Context(), id, hook.ID, webhookWish(r)); err != nil {
		problems, ok := refused(err)
		if !ok {
			return err
		}
		form := views.Form{Values: typed(r, webhookForm...), Errors: problems}
		return render(w, r, formStatus(err), views.ShowWebhook(views.EditWebhook{Instance: inst, Webhook: hook, Form: form}))
	}
	return s.toWebhooks(w, r, "webhook-saved")
}

func (s *server) toWebhooks(w http.ResponseWriter, r *http.Request, flash string) error {
	s.setFlash(w, r, flash)
	path := "/webhooks"
	if id := chi.URLParam(r, "id"); id != "" {
		path = "/instances/" + id + path
	}
	s.redirect(w, r, path)
	return nil
}

// webhookAction adapts something that is done with one webhook.
func (s *server) webhookAction(flash string, do func(ctx context.Context, r *http.Request, id instances.ID, hook string) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		_, id, hook, err := s.webhookOf(r)
		if err != nil {
			return err
		}
		if err := do(r.Context(), r, id, hook.ID); err != nil {
			return err
		}
		return s.toWebhooks(w, r, flash)
	}
}

func (s *server) deleteWebhook(ctx context.Context, _ *http.Request, id instances.ID, hook string) error {
	return s.Webhooks.Remove(ctx, id, hook)
}

func (s *server) retryWebhook(ctx context.Context, r *http.Request, id instances.ID, hook string) error {
	return s.Webhooks.Resume(ctx, viewer(r), id, hook)
}

func (s *server) pauseWebhook(paused bool) func(context.Context, *http.Request, instances.ID, string) error {
	return func(ctx context.Context, _ *http.Request, id instances.ID, hook string) error {
		_, err := s.Webhooks.Change(ctx, id, hook, webhooks.Wish{Paused: &paused})
		return err
	}
}

func (s *server) testWebhook(w http.ResponseWriter, r *http.Request) error {
	_, id, hook, err := s.webhookOf(r)
	if err != nil {
		return err
	}
	tried, err := s.Webhooks.Test(r.Context(), viewer(r), id, hook.ID)
	if err != nil {
		return err
	}
	return s.renderWebhooks(w, r, http.StatusOK, views.Webhooks{Of: hook.ID, Tried: &tried})
}

func (s *server) revealSecret(w http.ResponseWriter, r *http.Request) error {
	inst, _, hook, err := s.webhookOf(r)
	if err != nil {
		return err
	}
	if inst != nil && hook.Shared {
		return fault.New(fault.Forbidden, "The secret of a webhook for all numbers is shown to owners and administrators, at the webhooks for all numbers.")
	}
	return s.renderWebhooks(w, r, http.StatusOK, views.Webhooks{Of: hook.ID, Secret: hook.Secret})
}

func (s *server) rotateSecret(w http.ResponseWriter, r *http.Request) error {
	_, id, hook, err := s.webhookOf(r)
	if err != nil {
		return err
	}
	secret, err := s.Webhooks.Rotate(r.Context(), id, hook.ID)
	if err != nil {
		return err
	}
	return s.renderWebhooks(w, r, http.StatusOK, views.Webhooks{Of: hook.ID, Secret: secret})
}

// deliveryFilter is what the fields of the search say; a date that is none is left out.
func deliveryFilter(q url.Values) webhooks.Filter {
	f := webhooks.Filter{Event: q.Get("event"), Endpoint: q.Get("webhook"), State: webhooks.State(q.Get("state"))}
	f.Since, _ = time.Parse(time.DateOnly, q.Get("since"))
	if until, err := time.Parse(time.DateOnly, q.Get("until")); err == nil {
		f.Until = until.AddDate(0, 0, 1) // the whole of that day
	}
	return f
}

func (s *server) showDeliveries(w http.ResponseWriter, r *http.Request) error {
	inst, err := s.get(r)
	if err != nil {
		return err
	}
	r, _ = s.withFlash(w, r)
	q := r.URL.Query()
	p := views.Deliveries{Instance: inst, Query: q, Runs: inst.Status.OfWorker()}
	if p.List, err = s.Webhooks.Deliveries(r.Context(), inst.ID, deliveryFilter(q), q.Get("after"), deliveriesPage+1); err != nil {
		return err
	}
	if p.More = len(p.List) > deliveriesPage; p.More {
		p.List = p.List[:deliveriesPage]
	}
	if p.Webhooks, err = s.masked(r, inst.ID); err != nil {
		return err
	}
	how, err := s.Webhooks.Standings(r.Context(), inst.ID)
	if err != nil {
		return err
	}
	for _, one := range how {
		if !one.Oldest.IsZero() && (p.Oldest.IsZero() || one.Oldest.Before(p.Oldest)) {
			p.Oldest = one.Oldest
		}
	}
	return render(w, r, http.StatusOK, views.ShowDeliveries(p))
}

func (s *server) showDelivery(w http.ResponseWriter, r *http.Request) error {
	inst, err := s.get(r)
	if err != nil {
		return err
	}
	p := views.OneDelivery{Instance: inst, Runs: inst.Status.OfWorker()}
	if p.Delivery, err = s.Webhooks.Delivery(r.Context(), inst.ID, chi.URLParam(r, "delivery")); err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.ShowDelivery(p))
}

func (s *server) resendDeliveries(w http.ResponseWriter, r *http.Request) error {
	inst, err := s.get(r)
	if err != nil {
		return err
	}
	f := webhooks.Filter{IDs: r.PostForm["id"]}
	switch r.PostFormValue("what") {
	case "parked":
		f = webhooks.Filter{State: webhooks.Parked}
	case "filter":
		f = deliveryFilter(r.PostForm)
	}
	flash := "nothing-chosen"
	if !f.Empty() {
		if _, err := s.Webhooks.Resend(r.Context(), viewer(r), inst.ID, f); err != nil {
			return err
		}
		flash = "resent"
	}
	s.setFlash(w, r, flash)
	s.redirect(w, r, "/instances/"+string(inst.ID)+"/deliveries")
	return nil
}

// noticeable is how long a webhook takes nothing before the number's own page says so.
const noticeable = 5 * time.Minute

// stuckWebhooks are those of a number that take nothing. What cannot be found out is told on
// their own page.
func (s *server) stuckWebhooks(ctx context.Context, id instances.ID) (stuck []views.Stuck) {
	list, err := s.Webhooks.List(ctx, id)
	var how map[string]webhooks.Standing
	if err == nil && len(list) > 0 {
		how, err = s.Webhooks.Standings(ctx, id)
	}
	if err != nil {
		s.Log.WarnContext(ctx, "read webhooks failed", "instance", id, "error", err)
	}
	for _, w := range list {
		if st := how[w.ID]; !w.Paused && !st.FailingSince.IsZero() && time.Since(st.FailingSince) >= noticeable {
			stuck = append(stuck, views.Stuck{URL: w.URL, Since: st.FailingSince, Paused: !st.PausedAt.IsZero()})
		}
	}
	return stuck
}
