package main

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"time"
)

// tlsConfig is the panel's own TLS, where no reverse proxy does it.
type tlsConfig struct {
	Cert, Key string // files
}

// speaksTLS reports whether the panel does.
func (c config) speaksTLS() bool { return c.TLS.Cert != "" || len(c.ACME.Domains) > 0 }

// tlsVariables are the variables of the panel's own TLS.
var tlsVariables = []variable{
	{
		name: "TLS_CERT_FILE", usage: "file with the certificate (PEM, with those between) when the panel itself speaks TLS; read again when it changes",
		parse: func(c *config, value string) error {
			c.TLS.Cert = value
			return nil
		},
	},
	{
		name: "TLS_KEY_FILE", usage: "file with the certificate's private key (PEM)",
		parse: func(c *config, value string) error {
			c.TLS.Key = value
			return nil
		},
	},
}

func (c config) tlsFaults() (faults []string) {
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		faults = append(faults, "TLS_CERT_FILE and TLS_KEY_FILE belong together. Set both, or neither.")
	}
	if c.TLS.Cert != "" && len(c.ACME.Domains) > 0 {
		faults = append(faults, "TLS_CERT_FILE and TLS_ACME_DOMAINS are both set. Set one of them.")
	}
	if c.TLS.Cert != "" && c.TLS.Key != "" {
		if _, err := tls.LoadX509KeyPair(c.TLS.Cert, c.TLS.Key); err != nil {
			faults = append(faults, "TLS_CERT_FILE and TLS_KEY_FILE cannot be used: "+err.Error()+".")
		}
	}
	return append(faults, c.ACME.faults()...)
}

// serverTLS returns how the panel speaks TLS, nil when it does not, and what ends what was
// begun for that.
func (c config) serverTLS(dir string, log *slog.Logger) (config *tls.Config, stop func(), err error) {
	switch {
	case c.TLS.Cert != "":
		pair := &keyPair{cert: c.TLS.Cert, key: c.TLS.Key}
		return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: pair.get}, func() {}, nil
	case len(c.ACME.Domains) > 0:
		own, err := newCertificates(c.ACME, dir, log)
		if err != nil {
			return nil, nil, err
		}
		return own.config(), own.keep(), nil
	}
	return nil, func() {}, nil
}

// keyPair is a certificate that is renewed in its files while the panel runs.
type keyPair struct {
	cert, key string

	mu      sync.Mutex
	checked time.Time
	changed time.Time // of the file that was read
	pair    *tls.Certificate
}

// get returns the newest certificate. One that cannot be read leaves the last good one.
func (k *keyPair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pair != nil && time.Since(k.checked) < time.Second {
		return k.pair, nil
	}
	k.checked = time.Now()
	info, err := os.Stat(k.cert)
	if err == nil && (k.pair == nil || !info.ModTime().Equal(k.changed)) {
		var pair tls.Certificate
		if pair, err = tls.LoadX509KeyPair(k.cert, k.key); err == nil {
			k.pair, k.changed = &pair, info.ModTime()
		}
	}
	if k.pair == nil {
		return nil, err
	}
	return k.pair, nil
}
