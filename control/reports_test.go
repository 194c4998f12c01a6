package control

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/instances"
)

func TestReportsStream(t *testing.T) {
	t.Parallel()
	first := instances.Report{Status: instances.PairingPhone, Pairing: &instances.Pairing{
		Code: "2@abc", ExpiresAt: time.UnixMilli(5).UTC(), Turn: 1, Turns: 6,
		Passkey: &instances.Passkey{Request: []byte(`{"challenge":"x"}`)},
	}}
	second := instances.Report{Status: instances.Connected, JID: "1:2@s.whatsapp.net", LID: "3@lid",
		PushName: "A <b>", ProvenAt: time.UnixMilli(9).UTC()}
	dir := t.TempDir()
	w := newWorker()
	w.set(first)
	socket, stop := serve(t, dir, w)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reports := Dial(socket, token, os.Getpid()).Reports(ctx)
	if got := <-reports; !reflect.DeepEqual(got, first) {
		t.Errorf("first report %+v", got)
	}
	w.set(second)
	if got := <-reports; !reflect.DeepEqual(got, second) {
		t.Errorf("second report %+v", got)
	}

	// The worker's socket goes away and comes back: so does the stream.
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	w2 := newWorker()
	w2.set(instances.Report{Status: instances.Reconnecting, Reason: instances.NoNetwork})
	serve(t, dir, w2)
	if got := <-reports; got.Status != instances.Reconnecting || got.Reason != instances.NoNetwork {
		t.Errorf("after the break: %+v", got)
	}
	cancel()
	for range reports { // is closed
	}
}

func TestReportsWaitForASocket(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	reports := Dial(filepath.Join(dir, SocketName), token, os.Getpid()).Reports(t.Context())
	w := newWorker()
	w.set(instances.Report{Status: instances.Starting})
	serve(t, dir, w)
	if got := <-reports; got.Status != instances.Starting {
		t.Errorf("got %+v", got)
	}
}

// lineWriter is a response whose lines can be waited for.
type lineWriter struct {
	bytes.Buffer
	lines chan string
}

func (w *lineWriter) Header() http.Header              { return http.Header{} }
func (w *lineWriter) WriteHeader(int)                  {}
func (w *lineWriter) SetWriteDeadline(time.Time) error { return nil }
func (w *lineWriter) FlushError() error {
	w.lines <- w.String()
	w.Reset()
	return nil
}

func TestAQuietWorkerStillReports(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorker()
		w.set(instances.Report{Status: instances.Connected})
		ctx, cancel := context.WithCancel(t.Context())
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, pathReports, nil)
		out := &lineWriter{lines: make(chan string)}
		done := make(chan struct{})
		go func() { streamReports(out, r, w); close(done) }()
		<-out.lines
		begin := time.Now()
		for range 3 {
			<-out.lines
		}
		if took := time.Since(begin); took != 3*heartbeat {
			t.Errorf("three reports took %v", took)
		}
		cancel()
		<-done
	})
}
