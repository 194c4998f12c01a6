package worker

import (
	"fmt"
	"net/http"

	"switchboard/gowa"
	"switchboard/instances"
)

// guarded is the API as it is served on the worker's port. A number has no keys of its own
// to sign in with, so all but the health check is closed to everybody here; the panel
// forwards to the API for those whom it lets in.
func guarded(id instances.ID, _ http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", gowa.Health)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf("Basic realm=%q, charset=\"UTF-8\"", string(id)))
		gowa.Write(w, http.StatusUnauthorized, gowa.Envelope{
			Code:    "AUTHENTICATION_ERROR",
			Message: "This number's API needs a key, and no key has been made for it. Use the panel's API under /api/v1/instances/" + string(id) + "/api/ with a token.",
		})
	})
	return mux
}
