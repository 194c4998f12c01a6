package worker

import (
	"context"
	"database/sql"
	"log/slog"
	"net/http"
	"time"

	"switchboard/gowa"
	"switchboard/instances"
	"switchboard/keys"
)

// guarded is the API as it is served on the worker's port: for whoever has one of the
// number's keys. Nobody but the health check goes without.
func guarded(door *keys.Door, api http.Handler) http.Handler {
	let := door.Guard(scopeOf, api)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" {
			api.ServeHTTP(w, r)
			return
		}
		let.ServeHTTP(w, r)
	})
}

// scopeOf says what a request does. Where its path means one operation as it was sent and
// another when it is unescaped, it takes every scope.
func scopeOf(r *http.Request) keys.Scope {
	scope := keys.ScopeOf(r.Method, r.URL.Path, r.URL.Query())
	if keys.ScopeOf(r.Method, r.URL.EscapedPath(), r.URL.Query()) != scope {
		return keys.Manage
	}
	return scope
}

// openDoor makes the door of the API on the worker's port. When keys were used is a comfort:
// that it cannot be read or noted keeps nobody out.
func openDoor(ctx context.Context, id instances.ID, db *sql.DB, log *slog.Logger) *keys.Door {
	uses := keys.Uses{DB: db}
	used, err := uses.All(ctx)
	if err != nil {
		log.Warn("uses of keys cannot be read", "error", err)
	}
	return keys.NewDoor(keys.Options{
		ID:   id,
		Used: used,
		Refuse: func(w http.ResponseWriter, status int, code, message string) {
			gowa.Write(w, status, gowa.Envelope{Code: code, Message: message})
		},
		Note: func(key string, at time.Time) {
			if err := uses.Note(ctx, key, at); err != nil {
				log.Warn("use of a key cannot be noted", "error", err)
			}
		},
	})
}
