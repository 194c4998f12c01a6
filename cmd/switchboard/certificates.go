package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

const (
	// firstRetry is how soon an authority that did not answer is asked again, at first. One that
	// refused is asked after slowRetry: Let's Encrypt takes five failures an hour.
	firstRetry = 5 * time.Second
	slowRetry  = 15 * time.Minute
	// certificateCheck is how often what is served is looked at.
	certificateCheck = time.Hour
)

// certificates are the panel's own by ACME: asked for before anybody needs them, kept in a
// folder, and renewed when a third of their time is left, at most 30 days. Whoever comes while
// there is none is turned away, and does not make the authority be asked once more.
type certificates struct {
	from   acmeConfig
	dir    string
	log    *slog.Logger
	asking sync.Mutex // one name after the other, so that they share one account

	mu    sync.Mutex
	names map[string]*named
}

// named is one host name. Its manager is another one after a failure, because it would not ask
// again for a minute; one that has a certificate stays, and renews it.
type named struct {
	authority *authority
	manager   *autocert.Manager
	refused   error // while the last answer was no certificate
}

func newCertificates(c acmeConfig, dir string, log *slog.Logger) (*certificates, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if c.CAFile != "" {
		roots, err := rootsFrom(c.CAFile)
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	out := &certificates{from: c, dir: dir, log: log, names: map[string]*named{}}
	for _, name := range c.Domains {
		a := &authority{base: transport}
		out.names[name] = &named{authority: a, manager: out.manager(name, a)}
	}
	return out, nil
}

func (c *certificates) manager(name string, a *authority) *autocert.Manager {
	m := &autocert.Manager{
		Prompt: autocert.AcceptTOS, HostPolicy: autocert.HostWhitelist(name), Cache: autocert.DirCache(certificatesIn(c.dir)), Email: c.from.Email,
		Client: &acme.Client{
			DirectoryURL: c.from.Directory, UserAgent: "switchboard/" + version(),
			HTTPClient: &http.Client{Transport: a, Timeout: time.Minute},
		},
	}
	if c.from.KeyID != "" {
		m.ExternalAccountBinding = &acme.ExternalAccountBinding{KID: c.from.KeyID, Key: c.from.Key}
	}
	return m
}

// certificatesIn is where certificates, their keys and that of the account are.
func certificatesIn(dir string) string { return filepath.Join(dir, "acme") }

func (c *certificates) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"h2", "http/1.1", acme.ALPNProto}}
}

// of returns how a host name stands.
func (c *certificates) of(name string) (named, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, ok := c.names[name]
	if !ok {
		return named{}, false
	}
	return *n, true
}

func (c *certificates) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	n, ok := c.of(strings.ToLower(strings.TrimSuffix(hello.ServerName, ".")))
	switch {
	case !ok:
		return nil, fmt.Errorf("there is no certificate for %q", hello.ServerName)
	case n.refused != nil && !slices.Equal(hello.SupportedProtos, []string{acme.ALPNProto}): // that one is the authority, who looks whether we are there
		return nil, n.refused
	}
	return n.manager.GetCertificate(hello)
}

// keep sees to it that there are certificates, until the function that it returns is called.
// That does not wait: a question to the authority cannot be taken back, and may last minutes.
func (c *certificates) keep() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	for _, name := range c.from.Domains {
		go c.keepOne(ctx, name)
	}
	return cancel
}

// fetch returns the certificate for a name, which may be there already.
func (c *certificates) fetch(name string) (*tls.Certificate, error) {
	n, _ := c.of(name)
	c.asking.Lock()
	got, err := n.manager.GetCertificate(&tls.ClientHelloInfo{
		ServerName: name, SupportedCurves: []tls.CurveID{tls.CurveP256}, SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256},
		CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
	})
	c.asking.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.names[name].refused = err; err != nil {
		c.names[name].manager = c.manager(name, n.authority)
	}
	return got, err
}

func (c *certificates) keepOne(ctx context.Context, name string) {
	n, _ := c.of(name)
	var known time.Time // until when the one is good that was last spoken of
	quick := firstRetry
	for {
		var wait time.Duration
		got, err := c.fetch(name)
		if ctx.Err() != nil {
			return
		}
		switch {
		case err == nil:
			quick = firstRetry
			from, until := got.Leaf.NotBefore, got.Leaf.NotAfter
			wait = min(certificateCheck, until.Sub(from)/20)
			if !until.Equal(known) {
				known = until
				c.log.Info("certificate ready", "name", name, "until", until)
			} else if time.Until(until) < until.Sub(from)/4 {
				c.log.Error("certificate could not be renewed", "name", name, "until", until, "reason", c.why(n.authority, errors.New("it was not tried")))
			}
		default:
			wait = slowRetry
			if n.authority.away() {
				wait, quick = quick, min(2*quick, slowRetry)
			}
			c.log.Error("certificate could not be fetched: nobody can open the panel at this name", "name", name, "reason", c.why(n.authority, err), "again_in", wait)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// why is what is in the way of a certificate, for whoever reads the log.
func (c *certificates) why(a *authority, err error) string {
	said, answered := a.last()
	switch {
	case said != "" && answered:
		return fmt.Sprintf("%s refused: %s", c.from.host(), said)
	case said != "":
		return fmt.Sprintf("%s does not answer: %s", c.from.host(), said)
	}
	return strings.TrimPrefix(err.Error(), "acme/autocert: ")
}

// authority is the way to the ACME authority. It hears what is said there, since what tries to
// renew a certificate keeps the reason to itself when that fails.
type authority struct {
	base http.RoundTripper

	mu       sync.Mutex
	said     string // the last refusal since something went well, "" without one
	answered bool   // it is the authority's own, not the network's
}

// longestAnswer is how much of an answer is looked at.
const longestAnswer = 64 << 10

func (a *authority) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := a.base.RoundTrip(r)
	if err != nil {
		a.hear(err.Error(), false)
		return nil, err
	}
	if !strings.Contains(answer.Header.Get("Content-Type"), "json") {
		if answer.StatusCode < http.StatusBadRequest && r.Method == http.MethodPost {
			a.hear("", true) // the certificate itself
		}
		return answer, nil
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, longestAnswer))
	if err != nil {
		_ = answer.Body.Close()
		a.hear(err.Error(), false)
		return nil, err
	}
	if said := problemIn(body); said != "" {
		a.hear(said, true)
	}
	answer.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), answer.Body), answer.Body}
	return answer, nil
}

func (a *authority) hear(said string, answered bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.said, a.answered = said, answered
}

func (a *authority) last() (said string, answered bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.said, a.answered
}

// away reports whether the network, and not the authority, was in the way last.
func (a *authority) away() bool {
	said, answered := a.last()
	return said != "" && !answered
}

// problemIn is the reason in an answer of an ACME authority: a problem document, or one within a
// challenge that was not met. A nonce that is too old is asked for again by itself.
func problemIn(body []byte) string {
	type problem struct{ Type, Detail string }
	var answer struct {
		problem
		Error      problem
		Challenges []struct{ Error problem }
	}
	if json.Unmarshal(body, &answer) != nil || strings.HasSuffix(answer.Type, ":badNonce") {
		return ""
	}
	said := ""
	if strings.HasPrefix(answer.Type, "urn:ietf:params:acme:error:") {
		said = answer.Detail
	}
	said = cmp.Or(said, answer.Error.Detail)
	for _, c := range answer.Challenges {
		said = cmp.Or(said, c.Error.Detail)
	}
	return said
}

// certificates says whether there are those that ACME fetches, and how long they are good.
func (d *examination) certificates(c config, dir string) {
	for _, name := range c.ACME.Domains {
		pem, err := os.ReadFile(filepath.Join(certificatesIn(dir), name))
		if errors.Is(err, fs.ErrNotExist) {
			d.fail("certificate", "there is none for %s, so nobody can open the panel at that name. The log of the panel says why, after \"certificate could not be fetched\"", name)
			continue
		}
		var pair tls.Certificate
		if err == nil {
			pair, err = tls.X509KeyPair(pem, pem)
		}
		if err != nil {
			d.failed("certificate", err)
			continue
		}
		from, until := pair.Leaf.NotBefore, pair.Leaf.NotAfter
		switch left := time.Until(until); {
		case left <= 0:
			d.fail("certificate", "that for %s ran out on %s. The log of the panel says why it was not renewed", name, until.Format(time.DateTime))
		case left < until.Sub(from)/4:
			d.warn("certificate", "that for %s is good until %s and should have been renewed. The log of the panel says why it was not", name, until.Format(time.DateTime))
		default:
			d.ok("certificate", "that for %s is good until %s", name, until.Format(time.DateTime))
		}
	}
}
