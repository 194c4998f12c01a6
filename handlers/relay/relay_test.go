package relay

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/iotest"

	"switchboard/fault"
)

// Who breaks a request off is told so, and not that the number does not answer.
func TestABrokenRequest(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	t.Cleanup(server.Close)
	at := server.Listener.Addr().String()
	way := to{http.DefaultTransport, at}
	for name, c := range map[string]struct {
		body   io.Reader
		worker http.RoundTripper
		want   fault.Kind
	}{
		"broken":      {iotest.ErrReader(errors.New("malformed chunk")), way, fault.Invalid},
		"no worker":   {http.NoBody, to{http.DefaultTransport, "127.0.0.1:1"}, fault.Unavailable},
		"both, whole": {http.NoBody, way, -1},
	} {
		got := fault.Kind(-1)
		Relay{Worker: c.worker, Path: "/", Fail: func(_ http.ResponseWriter, _ *http.Request, err error) { got = fault.KindOf(err) }}.
			ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", c.body))
		if got != c.want {
			t.Errorf("%s: the fault is of kind %v, want %v", name, got, c.want)
		}
	}
}

// to sends requests to a server, whatever host they name.
type to struct {
	http.RoundTripper
	host string
}

func (t to) RoundTrip(r *http.Request) (*http.Response, error) {
	r.URL.Host = t.host
	return t.RoundTripper.RoundTrip(r)
}
