package handlers

import (
	"crypto/rand"
	"errors"
	"net/http"
	"slices"

	"switchboard/audit"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/views"
)

func (s *server) numbers(r *http.Request) views.Numbers {
	list := s.Instances.List(viewer(r))
	return views.Numbers{
		All:   list,
		Query: r.URL.Query().Get("q"),
		Show:  r.URL.Query().Get("show"),

		Boot:    s.Instances.Boot(),
		Rollout: s.Instances.Rollout(),
		Totals:  s.totals(list),
	}
}

func (s *server) listNumbers(w http.ResponseWriter, r *http.Request) error {
	return s.renderList(w, r, http.StatusOK, views.Form{})
}

func (s *server) renderList(w http.ResponseWriter, r *http.Request, status int, importing views.Form) error {
	n := s.numbers(r)
	n.Import = importing
	found, err := s.Instances.Found(r.Context())
	if err != nil {
		// The list is of use without the numbers that might be imported.
		s.Log.WarnContext(r.Context(), "look for numbers to import failed", "error", err)
	}
	n.Found = found
	rows, err := listLive(r, n)
	if err != nil {
		return err
	}
	r, _ = s.withFlash(w, r)
	return render(w, r, status, views.List(n, rows))
}

func listLive(r *http.Request, n views.Numbers) (views.Live, error) {
	return views.NewLive(r.Context(), "rows", n.RowsPath(), listPace(n.All), views.Rows(n))
}

// listPace is quicker while some number is on its way. It never stops: a number that is
// connected may yet drop.
func listPace(all []instances.Instance) string {
	moving := slices.ContainsFunc(all, func(i instances.Instance) bool { return !i.Status.Settled() })
	if moving {
		return "2s"
	}
	return "5s"
}

func (s *server) pollRows(w http.ResponseWriter, r *http.Request) error {
	if !isFragment(r) {
		s.redirect(w, r, "/")
		return nil
	}
	n := s.numbers(r)
	if was := r.URL.Query().Get("any"); (was == "true") != (len(n.All) > 0) {
		w.Header().Set("HX-Refresh", "true") // the page around the list is another one now
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	rows, err := listLive(r, n)
	if err != nil {
		return err
	}
	if unchanged(r, rows) {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return render(w, r, http.StatusOK, rows.Again(), views.SummaryAgain(n))
}

// unchanged reports whether the browser already shows this.
func unchanged(r *http.Request, l views.Live) bool { return r.URL.Query().Get("v") == l.Version }

// renderLive answers the poll of a live part: with nothing while nothing is new, and for good
// once there is nothing left to wait for.
func renderLive(w http.ResponseWriter, r *http.Request, l views.Live) error {
	switch {
	case l.Every == "":
		return render(w, r, stopPolling, l.Again())
	case unchanged(r, l):
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return render(w, r, http.StatusOK, l.Again())
}

func (s *server) newNumber(w http.ResponseWriter, r *http.Request) error {
	return render(w, r, http.StatusOK, views.NewNumber(rand.Text(), views.Form{}))
}

func (s *server) createNumber(w http.ResponseWriter, r *http.Request) error {
	inst, err := s.create(r)
	if err == nil {
		s.redirect(w, r, "/instances/"+string(inst.ID))
		return nil
	}
	problems, ok := refused(err)
	if !ok {
		return err
	}
	request := r.PostFormValue("request_id")
	if request == "" || errors.Is(err, errFormUsed) {
		request = rand.Text()
	}
	return render(w, r, formStatus(err), views.NewNumber(request, views.Form{Values: typed(r, "name", "phone"), Errors: problems}))
}

// errFormUsed is about a form that a person went back to and filled in anew.
var errFormUsed = fault.InField("name", "This form has made a number with another name already. Send it once more to make this one as well.")

func (s *server) create(r *http.Request) (instances.Instance, error) {
	in := instances.New{RequestID: r.PostFormValue("request_id")}
	var badName, badPhone error
	in.Name, badName = instances.CheckName(r.PostFormValue("name"))
	if phone := r.PostFormValue("phone"); phone != "" {
		in.Phone, badPhone = parsePhone("phone", phone, "")
	}
	if err := errors.Join(badName, badPhone); err != nil {
		return instances.Instance{}, err
	}
	inst, err := s.Instances.Create(r.Context(), viewer(r), in)
	if err == nil && inst.Name != in.Name {
		err = errFormUsed
	}
	audit.Of(r.Context()).Instance = string(inst.ID)
	return inst, err
}

// importNumbers takes over every number that was found. One that cannot be taken over does
// not keep the others back.
func (s *server) importNumbers(w http.ResponseWriter, r *http.Request) error {
	found, err := s.Instances.Found(r.Context())
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fault.New(fault.Conflict, "There is nothing left to import. Everything that was found is in the list already.")
	}
	var problem error
	for _, p := range found {
		if _, err := s.Instances.Import(r.Context(), viewer(r), p.JID); err != nil {
			s.Log.WarnContext(r.Context(), "import failed", "error", err)
			problem = err
		}
	}
	if problem != nil {
		return s.renderList(w, r, formStatus(problem), views.Form{Errors: map[string]string{"": fault.MessageOf(problem)}})
	}
	s.setFlash(w, r, "imported")
	s.redirect(w, r, "/")
	return nil
}
