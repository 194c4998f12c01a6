package control

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"switchboard/fault"
)

// Serve answers the panel on l, which it closes, until ctx ends. It returns nil then, and
// at most two seconds later: answers that take longer are cut off. Only processes of the
// same user (and root) are let in, and only with the token.
func Serve(ctx context.Context, l net.Listener, token string, h Handler) error {
	if token == "" {
		l.Close()
		return errors.New("serve control socket: no token")
	}
	streams, cut := context.WithCancel(context.Background())
	defer cut()
	srv := &http.Server{
		Handler:           guard(token, routes(h)),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		BaseContext:       func(net.Listener) context.Context { return streams },
	}
	srv.RegisterOnShutdown(cut) // the report streams would hold the shutdown up
	var failed error
	served := make(chan struct{})
	go func() {
		failed = srv.Serve(guarded{l})
		close(served)
	}()
	select {
	case <-served:
		return failed
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if srv.Shutdown(last) != nil {
		_ = srv.Close()
	}
	<-served
	return nil
}

// guard refuses requests without the token and takes it off the others.
func guard(token string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get(tokenHeader)), []byte(token)) != 1 {
			writeTrouble(w, fault.New(fault.Unauthenticated, "The control socket needs its token."))
			return
		}
		r.Header.Del(tokenHeader)
		next.ServeHTTP(w, r)
	})
}

func routes(h Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+pathReports, func(w http.ResponseWriter, r *http.Request) { streamReports(w, r, h) })
	mux.HandleFunc("POST "+pathPair, answer(func(ctx context.Context, _ struct{}) (any, error) {
		return nil, h.Pair(ctx)
	}))
	mux.HandleFunc("POST "+pathPairPhone, answer(func(ctx context.Context, in phoneRequest) (any, error) {
		return h.PairPhone(ctx, in.Phone)
	}))
	mux.HandleFunc("POST "+pathAnswerPasskey, answer(func(ctx context.Context, in passkeyRequest) (any, error) {
		return nil, h.AnswerPasskey(ctx, in.Credential)
	}))
	mux.HandleFunc("POST "+pathConfirmPasskey, answer(func(ctx context.Context, _ struct{}) (any, error) {
		return nil, h.ConfirmPasskey(ctx)
	}))
	mux.HandleFunc("POST "+pathLogout, answer(func(ctx context.Context, _ struct{}) (any, error) {
		return nil, h.Logout(ctx)
	}))
	mux.HandleFunc("POST "+pathReconnect, answer(func(ctx context.Context, _ struct{}) (any, error) {
		return nil, h.Reconnect(ctx)
	}))
	mux.HandleFunc("POST "+pathSendText, answer(func(ctx context.Context, in textRequest) (any, error) {
		return h.SendText(ctx, in.To, in.Text)
	}))
	mux.HandleFunc("PUT "+pathSettings, answer(func(ctx context.Context, in json.RawMessage) (any, error) {
		return nil, h.Configure(ctx, in)
	}))
	mux.HandleFunc("POST "+pathOutbox+"{what}", func(w http.ResponseWriter, r *http.Request) {
		answer(func(ctx context.Context, in json.RawMessage) (any, error) {
			return h.Outbox(ctx, r.PathValue("what"), in)
		})(w, r)
	})
	mux.HandleFunc("GET "+pathEvents, func(w http.ResponseWriter, r *http.Request) { streamEvents(w, r, h) })
	mux.HandleFunc("POST "+pathStop, answer(func(context.Context, struct{}) (any, error) {
		h.Stop()
		return nil, nil
	}))
	mux.Handle(pathAPI+"/", http.StripPrefix(pathAPI, h.API()))
	return mux
}

// answer adapts one question of the panel: a JSON object in, a JSON object or a fault out.
func answer[In any](ask func(context.Context, In) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in In
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxDocument)).Decode(&in)
		if err != nil && !errors.Is(err, io.EOF) {
			writeTrouble(w, fault.Wrap(fault.Invalid, "The request is not the JSON object that it has to be.", err))
			return
		}
		out, err := ask(r.Context(), in)
		if err != nil {
			writeTrouble(w, err)
			return
		}
		if out == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(out) // a panel that went away is no one's trouble
	}
}

// streamReports writes the present report, every changed one, and the present one again
// whenever nothing changed for a while.
func streamReports(w http.ResponseWriter, r *http.Request, h Handler) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	out, rc := json.NewEncoder(w), http.NewResponseController(w)
	beat := time.NewTimer(heartbeat)
	defer beat.Stop()
	for {
		changed := h.Changed() // before Report: a change in between is then seen twice, not never
		// A panel that stopped reading must not hold this goroutine for ever.
		if rc.SetWriteDeadline(time.Now().Add(heartbeat)) != nil || out.Encode(h.Report()) != nil || rc.Flush() != nil {
			return
		}
		beat.Reset(heartbeat)
		select {
		case <-changed:
		case <-beat.C:
		case <-r.Context().Done():
			return
		}
	}
}

// streamEvents writes events as they come, and null whenever none came for a while. A panel
// that does not read is cut off: it may come again and go on where it was.
func streamEvents(w http.ResponseWriter, r *http.Request, h Handler) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	out, rc := json.NewEncoder(w), http.NewResponseController(w)
	var one sync.Mutex
	tell := func(e any) error {
		one.Lock()
		defer one.Unlock()
		if err := rc.SetWriteDeadline(time.Now().Add(heartbeat)); err != nil {
			return err
		}
		if err := out.Encode(e); err != nil {
			return err
		}
		return rc.Flush()
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	if tell(nil) != nil {
		return
	}
	beating := make(chan struct{})
	go func() {
		defer close(beating)
		beat := time.NewTicker(heartbeat)
		defer beat.Stop()
		for {
			select {
			case <-beat.C:
				if tell(nil) != nil {
					cancel()
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	_ = h.Events(ctx, r.URL.Query().Get("after"), tell) // whatever ended it, the stream ends
	cancel()
	<-beating // it must not write when this has returned
}
