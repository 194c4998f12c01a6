package handlers

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"switchboard/auth"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/views"
)

// patience is how many more times a page asks after a command whose effect shows only when
// the worker has reported it.
const patience = 5

func (s *server) get(r *http.Request) (instances.Instance, error) {
	return s.Instances.Get(viewer(r), instanceID(r))
}

func (s *server) showNumber(w http.ResponseWriter, r *http.Request) error {
	inst, err := s.get(r)
	if err != nil {
		return err
	}
	r, key := s.withFlash(w, r)
	wait := 0
	if key == acted {
		wait = patience
	}
	return s.renderNumber(w, r, http.StatusOK, views.Number{Instance: inst}, wait)
}

// renderNumber answers with the whole page of n.Instance and the forms that n holds.
func (s *server) renderNumber(w http.ResponseWriter, r *http.Request, status int, n views.Number, wait int) error {
	n, err := s.fill(r, n, wait)
	if err != nil {
		return err
	}
	n.Stuck = s.stuckWebhooks(r.Context(), n.Instance.ID)
	s.noteMedia(r.Context(), &n)
	if person(r).Need(auth.Admin) == nil && n.Instance.JID != "" {
		n.Media = s.waitingMedia(r.Context(), n.Instance.ID)
	}
	if n.Backup.Values == nil {
		n.Backup.Values = map[string]string{"media": "yes"}
	}
	return render(w, r, status, views.Show(n))
}

// fill adds the live parts to n.
func (s *server) fill(r *http.Request, n views.Number, wait int) (views.Number, error) {
	n.KeepDays = s.KeepDays
	var err error
	if n.Status, err = statusLive(r.Context(), n.Instance, wait); err != nil {
		return n, err
	}
	if n.Usage, err = s.usageLive(r.Context(), n.Instance); err != nil {
		return n, err
	}
	switch views.StageOf(n.Instance) {
	case views.StagePair, views.StageRanOut, views.StagePasskey:
		n.Pairing, err = s.pairingLive(r.Context(), n.Instance, n.Passkey)
	case views.StageTalk, views.StageRead:
		n.Messages, err = s.messagesLive(r.Context(), n.Instance)
	}
	return n, err
}

// shown names what a status card shows, so that the next poll knows what has changed.
func shown(inst instances.Instance) string { return string(inst.Status) + "." + string(inst.Reason) }

func statusLive(ctx context.Context, inst instances.Instance, wait int) (views.Live, error) {
	every := views.Pace(inst.Status)
	q := url.Values{"was": {shown(inst)}, "stage": {string(views.StageOf(inst))}}
	if every == "" && wait > 0 {
		every = "1s"
		q.Set("wait", strconv.Itoa(wait))
	}
	return views.NewLive(ctx, "status-card", "/instances/"+string(inst.ID)+"/status?"+q.Encode(), every, views.StatusCard(inst))
}

// poll adapts a handler that answers with a part of a number's page. Elsewhere than in the
// page it leads there, and from the page of a number that is gone it leads away.
func (s *server) poll(h func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return s.page(func(w http.ResponseWriter, r *http.Request) error {
		if !isFragment(r) {
			s.redirect(w, r, "/instances/"+string(instanceID(r)))
			return nil
		}
		err := h(w, r)
		if fault.KindOf(err) == fault.NotFound {
			s.setFlash(w, r, "deleted")
			w.Header().Set("HX-Redirect", s.BasePath+"/")
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
		return err
	})
}

// pollStatus answers with the status card, and with everything else that depends on the
// status when that has changed since the browser last asked.
func (s *server) pollStatus(w http.ResponseWriter, r *http.Request) error {
	inst, err := s.get(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	wait, _ := strconv.Atoi(q.Get("wait"))
	left := min(max(wait-1, 0), patience)
	if q.Get("was") == shown(inst) {
		card, err := statusLive(r.Context(), inst, left)
		if err != nil {
			return err
		}
		if wait == 0 && unchanged(r, card) { // whoever waits is sent the count that is left
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
		return render(w, r, pollCode(inst.Status), card.Again())
	}
	n, err := s.fill(r, views.Number{Instance: inst}, left)
	if err != nil {
		return err
	}
	parts := []templ.Component{n.Status.Again(), views.Changed(n, q.Get("stage") != string(views.StageOf(inst)))}
	if inst.Status == instances.Connected {
		parts = append(parts, views.MoreToasts(views.Flash{Text: "Connected. Messages can come and go."}))
	}
	return render(w, r, pollCode(inst.Status), parts...)
}

// pollCode tells htmx to stop asking for what is settled; the card that comes along says
// whether it wants to be asked for again, and how often.
func pollCode(status instances.Status) int {
	if status.Settled() {
		return stopPolling
	}
	return http.StatusOK
}

// command adapts one of the supervisor's commands.
func (s *server) command(do func(context.Context, instances.Viewer, instances.ID) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := do(r.Context(), viewer(r), instanceID(r)); err != nil {
			return err
		}
		return s.afterCommand(w, r)
	}
}

// afterCommand answers with the number as it is now, and keeps the page asking for a while.
func (s *server) afterCommand(w http.ResponseWriter, r *http.Request) error {
	if !isFragment(r) {
		s.setFlash(w, r, acted)
		s.redirect(w, r, "/instances/"+string(instanceID(r)))
		return nil
	}
	inst, err := s.get(r)
	if err != nil {
		return err
	}
	n, err := s.fill(r, views.Number{Instance: inst}, patience)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, n.Status.Again(), views.Changed(n, true))
}

func (s *server) renameNumber(w http.ResponseWriter, r *http.Request) error {
	inst, err := s.get(r)
	if err != nil {
		return err
	}
	if err := s.Instances.Rename(r.Context(), viewer(r), inst.ID, r.PostFormValue("name")); err != nil {
		problems, ok := refused(err)
		if !ok {
			return err
		}
		form := views.Form{Values: typed(r, "name"), Errors: problems}
		return s.renderNumber(w, r, formStatus(err), views.Number{Instance: inst, Rename: form}, 0)
	}
	s.setFlash(w, r, "renamed")
	s.redirect(w, r, "/instances/"+string(inst.ID))
	return nil
}

func (s *server) deleteNumber(w http.ResponseWriter, r *http.Request) error {
	inst, err := s.get(r)
	if err != nil {
		return err
	}
	// Not CheckName: a name from before a rule of today can be deleted as well.
	if strings.Join(strings.Fields(r.PostFormValue("confirm")), " ") != inst.Name {
		form := views.Form{
			Values: typed(r, "confirm", "for_good"),
			Errors: map[string]string{"confirm": "This is not the number's name, so nothing was deleted. Type it exactly as it is shown."},
		}
		return s.renderNumber(w, r, http.StatusUnprocessableEntity, views.Number{Instance: inst, Delete: form}, 0)
	}
	remove := s.Instances.Delete
	if r.PostFormValue("for_good") != "" {
		remove = s.Instances.DeleteForGood
	}
	if err := remove(r.Context(), viewer(r), inst.ID); err != nil {
		return err
	}
	s.setFlash(w, r, "deleting")
	s.redirect(w, r, "/")
	return nil
}
