package api

import (
	"errors"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"

	"switchboard/fault"
)

// forward passes a request on to the number's own REST API, and its answer back, both as
// they are. Only what opens this door stays here: the worker sees no token and no cookie.
func (s *server) forward(w http.ResponseWriter, r *http.Request) error {
	// The number's own API has commands that come as GET.
	if !user(r).MayChange() {
		return errOnlyLooks
	}
	id := instanceID(r)
	worker, err := s.Instances.API(viewer(r), id)
	if err != nil {
		return err
	}
	// The path as it was sent: what is escaped in it stays escaped.
	_, escaped, _ := strings.Cut(r.URL.EscapedPath(), "/instances/"+string(id)+"/api")
	if escaped == "" {
		escaped = "/"
	}
	path, err := url.PathUnescape(escaped)
	if err != nil {
		return &httpError{http.StatusBadRequest, "The path is not escaped properly."}
	}
	proxy := httputil.ReverseProxy{
		Transport:     worker,
		FlushInterval: -1,
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host, p.Out.Host = "http", "worker", ""
			p.Out.URL.Path, p.Out.URL.RawPath = path, escaped
			p.Out.Header.Del("Authorization")
			p.Out.Header.Del("Cookie")
		},
		ModifyResponse: func(answer *http.Response) error {
			// A worker has no business with the cookies of the panel's origin.
			answer.Header.Del("Set-Cookie")
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			var f *fault.Error
			if !errors.As(err, &f) {
				err = fault.Wrap(fault.Unavailable, "The number's own process does not answer. Its status says more.", err)
			}
			s.fail(w, r, err)
		},
	}
	proxy.ServeHTTP(w, r)
	return nil
}
