package audit

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

type contextKey struct{}

// Of returns the entry of the request that ctx belongs to, for whoever knows more about it
// than its route. It is one that nobody reads where no Middleware is.
func Of(ctx context.Context) *Entry {
	if e, ok := ctx.Value(contextKey{}).(*Entry); ok {
		return e
	}
	return &Entry{}
}

// Silent as an Action keeps a request out of the log unless it was not allowed: programs send
// thousands of messages, which the number's own database remembers.
const Silent = "-"

// Middleware writes an entry for every request that may have changed something, whatever
// its route, and for those that named an Action. The action is made of the route's pattern,
// and the number is the one in the path. It has to stand at the root of the router.
//
// A stranger writes nothing: what nobody was signed in for is left out, unless whoever
// answered it named an Action.
func (l *Log) Middleware(address func(*http.Request) string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			e := &Entry{Address: address(r)}
			r = r.WithContext(context.WithValue(r.Context(), contextKey{}, e))
			answer := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
			defer func() {
				status := answer.Status()
				if v := recover(); v != nil {
					defer panic(v)
					status = http.StatusInternalServerError
				}
				if l.complete(e, r, status) {
					l.Add(r.Context(), *e)
				}
			}()
			next.ServeHTTP(answer, r)
		})
	}
}

// complete fills in what the request itself tells, and says whether it belongs into the log.
func (l *Log) complete(e *Entry, r *http.Request, status int) bool {
	e.Result = resultOf(status)
	named := e.Action != ""
	switch {
	case e.Action == Silent && status != http.StatusUnauthorized && status != http.StatusForbidden:
		return false
	case (status == http.StatusUnauthorized || status == http.StatusForbidden) && strings.HasPrefix(e.Via, "token "):
	case named:
	case safe(r.Method) || e.User == 0:
		return false
	}
	pattern, params := route(r)
	if !named || e.Action == Silent {
		e.Action = ActionOf(r.Method, pattern)
		if strings.HasSuffix(pattern, "/*") { // it was refused before it came to its route
			e.Action = e.asked(r.Method, strings.TrimPrefix(r.URL.Path, "/api/v1"))
		}
	}
	if e.Action == "" {
		return false // there is nothing at this address
	}
	if e.Via == "" {
		e.Via = "panel"
	}
	for _, p := range params {
		switch {
		case p[0] == "id" && strings.Contains(pattern, "/instances/{id}"):
			e.Instance = p[1]
		case p[0] != "*" && len(p[1]) < 50: // longer ones may be secrets
			e.Target = strings.TrimSpace(e.Target + " " + p[1])
		}
	}
	if e.Result != OK && e.Detail == "" {
		e.Detail = "status " + strconv.Itoa(status)
	}
	return true
}

// asked names what a request would have done, by its path, and notes the number that is named there.
func (e *Entry) asked(method, path string) string {
	below, ofNumber := strings.CutPrefix(path, "/instances/")
	if !ofNumber {
		return strings.TrimPrefix(Named(path), "number.")
	}
	e.Instance, below, _ = strings.Cut(below, "/")
	below = strings.TrimPrefix(below, "api/")
	if below == "" {
		return ActionOf(method, "/instances/{id}")
	}
	return "instances" + strings.TrimPrefix(Named(below), "number")
}

func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions || method == http.MethodTrace
}

func resultOf(status int) Result {
	switch {
	case status < http.StatusBadRequest:
		return OK
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusNotFound, status == http.StatusTooManyRequests:
		return Refused
	}
	return Failed
}

func route(r *http.Request) (pattern string, params [][2]string) {
	c := chi.RouteContext(r.Context())
	if c == nil {
		return "", nil
	}
	for i, key := range c.URLParams.Keys {
		params = append(params, [2]string{key, c.URLParams.Values[i]})
	}
	return c.RoutePattern(), params
}

// ActionOf names what a route does: "POST /instances/{id}/start" is "instances.start".
func ActionOf(method, pattern string) string {
	pattern = strings.TrimPrefix(pattern, "/api/v1")
	words := strings.FieldsFunc(pattern, func(r rune) bool { return r == '/' })
	last := len(words) - 1
	onOne := last >= 0 && (strings.HasPrefix(words[last], "{") || words[last] == "*")
	fixed := slices.DeleteFunc(words, func(w string) bool { return strings.HasPrefix(w, "{") || w == "*" })
	verb := ""
	switch {
	case method == http.MethodDelete:
		verb = "delete"
	case method == http.MethodPatch, method == http.MethodPut, method == http.MethodPost && onOne:
		verb = "change"
	case method == http.MethodPost && last == 0:
		verb = "create"
	}
	if verb != "" {
		fixed = append(fixed, verb)
	}
	return strings.Join(fixed, ".")
}

// Rarely tells, for each subject, once a minute that something is to be written down: what
// strangers can cause must not fill the log.
type Rarely struct {
	mu   sync.Mutex
	seen map[string]time.Time
}

// Now reports whether it is time for subject again.
func (r *Rarely) Now(subject string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if now.Sub(r.seen[subject]) < time.Minute {
		return false
	}
	if r.seen == nil || len(r.seen) > 1000 {
		r.seen = map[string]time.Time{}
	}
	r.seen[subject] = now
	return true
}

// Named names what a request to a number's own API does, by the first two words of its path;
// what names something besides, such as a message, is left out.
func Named(path string) string {
	words := []string{"number"}
	for i, w := range strings.Split(strings.Trim(path, "/"), "/") {
		if i > 1 || strings.Trim(w, "abcdefghijklmnopqrstuvwxyz-") != "" {
			break
		}
		words = append(words, w)
	}
	return strings.Join(words, ".")
}
