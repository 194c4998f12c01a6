package handlers

import (
	"maps"
	"net/http"

	"switchboard/auth"
	"switchboard/views"
)

// hold answers a form that came after its session had ended, or from before another sign-in,
// with a page that keeps what was typed and sends it on a click. It leaves a request alone
// that nothing was typed for. Other sites' forms never come this far.
func (s *server) hold(w http.ResponseWriter, r *http.Request) (held bool, err error) {
	if r.Method != http.MethodPost || r.ParseForm() != nil {
		return false, nil
	}
	fields := maps.Clone(r.PostForm)
	fields.Del(auth.CSRFField)
	if len(fields) == 0 {
		return false, nil
	}
	status := http.StatusForbidden
	if _, signedIn := auth.UserFrom(r.Context()); !signedIn {
		status = http.StatusUnauthorized
	}
	if isFragment(r) {
		w.Header().Set("HX-Retarget", "body")
		w.Header().Set("HX-Reswap", "innerHTML show:window:top")
	}
	back := s.pageAt(r.Header.Get("HX-Current-URL"))
	if back == "" {
		back = s.pageAt(r.Referer())
	}
	return true, render(w, r, status, views.Held(views.HeldForm{Path: r.URL.RequestURI(), Fields: fields, Back: back}))
}
