package handlers

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/a-h/templ"
	"github.com/go-chi/chi/v5"

	"switchboard/auth"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/views"
)

// stopPolling is the status with which htmx stops asking for a part of the page.
const stopPolling = 286

// page adapts a handler that returns its error.
func (s *server) page(h func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.fail(w, r, err)
		}
	}
}

// fail is where errors become answers: it logs what is our fault, and says what a person
// may know. htmx gets a toast, everything else a page.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil && errors.Is(err, context.Canceled) {
		return // the browser has gone
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fault.Wrap(fault.Unavailable, "This took too long. Please try again in a moment.", err)
	}
	kind := fault.KindOf(err)
	switch kind {
	case fault.Internal:
		s.Log.ErrorContext(r.Context(), "request failed", "method", r.Method, "route", route(r), "error", err)
	case fault.Unavailable:
		s.Log.WarnContext(r.Context(), "request failed", "method", r.Method, "route", route(r), "error", err)
	case fault.Unauthenticated:
		s.toLogin(w, r)
		return
	}
	r = r.WithContext(views.With(r.Context(), s.shell(r)))
	var failed error
	if isFragment(r) {
		w.Header().Set("HX-Retarget", "#toasts")
		w.Header().Set("HX-Reswap", "innerHTML") // not beforeend: a poll that fails would pile them up
		failed = render(w, r, kind.Status(), views.Toast(views.Flash{Bad: true, Text: fault.MessageOf(err)}))
	} else {
		_, signedIn := auth.UserFrom(r.Context())
		failed = render(w, r, kind.Status(), views.Problem(title(kind), fault.MessageOf(err), signedIn))
	}
	if failed != nil {
		s.Log.ErrorContext(r.Context(), "error page failed", "error", failed)
		http.Error(w, fault.MessageOf(err), kind.Status())
	}
}

func title(kind fault.Kind) string {
	switch kind {
	case fault.NotFound:
		return "There is nothing here"
	case fault.Forbidden:
		return "That is not possible here"
	case fault.Throttled:
		return "A little slower, please"
	case fault.TooLarge:
		return "That is too much at once"
	case fault.Invalid, fault.Conflict:
		return "That did not work"
	case fault.Unavailable:
		return "Not available right now"
	}
	return "Something went wrong"
}

// route names what was asked for without what a person typed.
func route(r *http.Request) string {
	if c := chi.RouteContext(r.Context()); c != nil {
		return c.RoutePattern()
	}
	return ""
}

// isFragment reports whether htmx asks, for a part of a page.
func isFragment(r *http.Request) bool { return r.Header.Get("HX-Request") == "true" }

// render writes components one after the other, or nothing at all if one of them fails.
func render(w http.ResponseWriter, r *http.Request, status int, parts ...templ.Component) error {
	var b bytes.Buffer
	for _, part := range parts {
		if err := part.Render(r.Context(), &b); err != nil {
			return err
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Add("Vary", "HX-Request")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w) // the browser has gone
	return nil
}

// redirect leads to a path of the panel, after a form too.
func (s *server) redirect(w http.ResponseWriter, r *http.Request, path string) {
	//nolint:gosec // the one path that comes from a request, after sign-in, went through local
	http.Redirect(w, r, s.BasePath+path, http.StatusSeeOther)
}

// refused sorts an error by the fields of a form. ok is false where the form has nothing
// to say about it: what was asked for does not exist, or the fault is ours.
func refused(err error) (problems map[string]string, ok bool) {
	problems = map[string]string{}
	for _, one := range fault.Fields(err) {
		if problems[one.Field] == "" {
			problems[one.Field] = one.Message
		}
	}
	if len(problems) > 0 {
		return problems, true
	}
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Conflict, fault.Unauthenticated, fault.Throttled, fault.Unavailable:
		problems[""] = fault.MessageOf(err)
		return problems, true
	}
	return nil, false
}

// formStatus is the status of a form that comes back with its errors.
func formStatus(err error) int {
	kind := fault.KindOf(err)
	if kind == fault.Conflict && len(fault.Fields(err)) > 0 {
		return http.StatusUnprocessableEntity // a name in use is one more thing to correct
	}
	return kind.Status()
}

// typed keeps what a person typed into the named fields.
func typed(r *http.Request, names ...string) map[string]string {
	values := make(map[string]string, len(names))
	for _, name := range names {
		values[name] = r.PostFormValue(name)
	}
	return values
}

func viewer(r *http.Request) instances.Viewer {
	user, _ := auth.UserFrom(r.Context())
	return user.Viewer()
}

func instanceID(r *http.Request) instances.ID { return instances.ID(chi.URLParam(r, "id")) }

func (s *server) notFound(_ http.ResponseWriter, r *http.Request) error {
	if _, ok := auth.UserFrom(r.Context()); !ok {
		return fault.New(fault.Unauthenticated, "Please sign in.")
	}
	return fault.New(fault.NotFound, "This page does not exist. It may have been removed, or the address is mistyped.")
}

// notAllowed answers a method that the address does not know, with those that it does. The
// router sends it here even below the management API when no address anywhere knows the
// method; programs get the answer that they can read.
func (s *server) notAllowed(routes chi.Routes) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		if rest, ok := strings.CutPrefix(r.URL.EscapedPath(), "/api/v1/"); ok && s.API != nil {
			chi.RouteContext(r.Context()).RoutePath = "/" + rest
			s.API.ServeHTTP(w, r)
			return nil
		}
		if rest, ok := strings.CutPrefix(r.URL.EscapedPath(), "/gowa/"); ok && s.Gateway != nil {
			chi.RouteContext(r.Context()).RoutePath = "/" + rest
			s.Gateway.ServeHTTP(w, r)
			return nil
		}
		var allowed []string
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			if routes.Match(chi.NewRouteContext(), method, r.URL.EscapedPath()) {
				allowed = append(allowed, method)
			}
		}
		if slices.Contains(allowed, http.MethodGet) {
			allowed = append(allowed, http.MethodHead)
		}
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		_, signedIn := auth.UserFrom(r.Context())
		return render(w, r, http.StatusMethodNotAllowed,
			views.Problem("That is not possible here", "This address takes another kind of request. Go on from the list of numbers.", signedIn))
	}
}
