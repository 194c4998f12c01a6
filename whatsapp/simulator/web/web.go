// Package web puts a simulated WhatsApp network in front of people and programs.
//
// Under /api/ there is a JSON interface with which tests and curious engineers make phones,
// link devices, send and read messages, and break things on purpose. At / there is a page
// that looks like a phone, for somebody who tries Switchboard without owning one.
//
// Whoever reaches this interface owns every phone on the network, so it answers only to the
// machine it runs on, and to no web page but its own.
package web

import (
	"embed"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"switchboard/fault"
	"switchboard/whatsapp/simulator"
	"switchboard/whatsapp/simulator/phone"
)

//go:embed static
var static embed.FS

// maxBody is the largest request: a file in Base64, and a little around it.
const maxBody = 24 << 20

// Options of the interface.
type Options struct {
	Network *simulator.Network
	Fleet   *phone.Fleet
	Log     *slog.Logger
}

// New returns the handler. It takes requests of this machine alone; see guard.
func New(o Options) http.Handler {
	s := &server{network: o.Network, fleet: o.Fleet, log: o.Log}
	files, err := fs.Sub(static, "static")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServerFS(files))
	s.routes(mux)
	mux.HandleFunc("/api/", s.handle(func(http.ResponseWriter, *http.Request) error {
		return fault.New(fault.NotFound, "There is nothing at this address, or not with this method. The interface is described in docs/simulator.md.")
	}))
	return guard(mux)
}

type server struct {
	network *simulator.Network
	fleet   *phone.Fleet
	log     *slog.Logger
}

// guard refuses other machines and other web pages: a page elsewhere could otherwise reach
// this one through the visitor's browser, by its address or by a host name that leads here.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; img-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		site := r.Header.Get("Sec-Fetch-Site")
		origin := r.Header.Get("Origin")
		navigation := r.Method == http.MethodGet && r.URL.Path == "/" && r.Header.Get("Sec-Fetch-Mode") == "navigate"
		switch {
		case !loopback(r.RemoteAddr) || !loopback(r.Host):
			problem(w, fault.New(fault.Forbidden, "The simulated network can be controlled only from the machine it runs on, as localhost."))
		case origin != "" && origin != "http://"+r.Host,
			site != "" && site != "same-origin" && site != "none" && !navigation:
			problem(w, fault.New(fault.Forbidden, "Another web page must not control the simulated network."))
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// loopback reports whether host, with or without a port, is this machine.
func loopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.Unmap().IsLoopback()
}

// handle answers with what f returns as its error.
func (s *server) handle(f func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		err := f(w, r)
		if err == nil || r.Context().Err() != nil {
			return
		}
		if fault.KindOf(err) == fault.Internal {
			s.log.Error("simulator request failed", "method", r.Method, "route", r.Pattern, "error", err)
		}
		problem(w, err)
	}
}

// Problem is an error as RFC 9457 has it.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Field  string `json:"field,omitempty"`
}

func problem(w http.ResponseWriter, err error) {
	status := fault.KindOf(err).Status()
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status,
		Detail: fault.MessageOf(err), Field: fault.FieldOf(err),
	})
}

func answer(w http.ResponseWriter, status int, body any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client has gone away
	return nil
}

func done(w http.ResponseWriter) error {
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// read reads a JSON body. A web page cannot send one elsewhere without asking first.
func read(r *http.Request, into any) error {
	if t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); t != "application/json" {
		return fault.New(fault.Invalid, "Send the request's body as application/json.")
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return unreadable(err)
	}
	return nil
}

func unreadable(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fault.Wrap(fault.TooLarge, "This is more than the simulated network takes at once. Send a smaller file.", err)
	}
	if errors.Is(err, io.EOF) {
		return fault.Wrap(fault.Invalid, "The request's body is empty.", err)
	}
	return fault.Wrap(fault.Invalid, "The request's body cannot be read: "+err.Error()+".", err)
}
