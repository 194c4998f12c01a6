package handlers

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"
)

// alive answers as long as the process does.
func alive(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "ok\n")
}

// Waiting answers for a panel that cannot begin yet, because the control database does not answer:
// the process lives, and is not ready. Browsers ask again by themselves.
func Waiting() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/healthz") {
			alive(w, r)
			return
		}
		for name, value := range map[string]string{
			"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
			"Retry-After": "5", "Refresh": "5",
		} {
			w.Header().Set(name, value)
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "The database does not answer. Switchboard begins by itself as soon as it does.\n")
	})
}

// ready answers whether the panel can do its work.
func (s *server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if err := s.Ready(ctx); err != nil {
		s.Log.WarnContext(r.Context(), "not ready", "error", err)
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "the control database does not answer\n")
		return
	}
	_, _ = io.WriteString(w, "ok\n")
}
