// Package relay passes requests on to a number's own REST API, and its answers back, both
// as they are. Only what opened the panel's door stays here: a worker sees no token and no
// cookie, and has no business with the cookies of the panel's origin.
package relay

import (
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"

	"switchboard/fault"
)

// BaseHeader tells a worker below which address whoever asks sees its API, for the links in
// its answers. Only the panel's own word for it arrives.
const BaseHeader = "Switchboard-Base"

// Relay is one request on its way.
type Relay struct {
	Worker http.RoundTripper
	// Path is where the worker looks, escaped as it was sent: what is escaped in it stays so.
	Path string
	// Base is the address of the worker's API as the client sees it, "" when it does not matter.
	Base string
	// Fail answers when the worker does not.
	Fail func(w http.ResponseWriter, r *http.Request, err error)
}

// ServeHTTP passes r on. A path that is not escaped properly is a fault.Invalid.
func (p Relay) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	escaped := p.Path
	if escaped == "" {
		escaped = "/"
	}
	path, err := url.PathUnescape(escaped)
	if err != nil {
		p.Fail(w, r, fault.Wrap(fault.Invalid, "The path is not escaped properly.", err))
		return
	}
	body := &body{ReadCloser: r.Body}
	r.Body = body
	proxy := httputil.ReverseProxy{
		Transport:     p.Worker,
		FlushInterval: -1,
		Rewrite: func(to *httputil.ProxyRequest) {
			to.Out.URL.Scheme, to.Out.URL.Host, to.Out.Host = "http", "worker", ""
			to.Out.URL.Path, to.Out.URL.RawPath = path, escaped
			to.Out.URL.RawQuery = to.In.URL.RawQuery // whole: the worker refuses what is malformed in it
			to.Out.Header.Del("Authorization")
			to.Out.Header.Del("Cookie")
			to.Out.Header.Del(BaseHeader)
			if p.Base != "" {
				to.Out.Header.Set(BaseHeader, p.Base)
			}
		},
		ModifyResponse: func(answer *http.Response) error {
			answer.Header.Del("Set-Cookie")
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if broken := body.broken.Load(); broken != nil {
				err = fault.Wrap(fault.Invalid, "The request is malformed, or ended before it was complete.", *broken)
			} else if _, ok := errors.AsType[*fault.Error](err); !ok {
				err = fault.Wrap(fault.Unavailable, "The number's own process does not answer. Its status says more.", err)
			}
			p.Fail(w, r, err)
		},
	}
	proxy.ServeHTTP(w, r)
}

// body is what a client sends. It notes when that breaks off.
type body struct {
	io.ReadCloser
	broken atomic.Pointer[error]
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, http.ErrBodyReadAfterClose) { // which the worker's end leads to
		b.broken.Store(&err)
	}
	return n, err
}
