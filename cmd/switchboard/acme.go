package main

import (
	"cmp"
	"crypto/x509"
	"encoding/base64"
	"net"
	"net/mail"
	"net/url"
	"os"
	"strings"

	"golang.org/x/crypto/acme/autocert"
	"golang.org/x/net/idna"
)

// acmeConfig is where the panel gets its certificates itself.
type acmeConfig struct {
	Domains   []string
	Directory string // of the authority, "" for Let's Encrypt
	CAFile    string // that its own certificate is checked against, "" for those of the system
	Email     string
	KeyID     string // of an account there to which this panel is to belong
	Key       []byte
}

// acmeVariables are the variables of certificates by ACME.
var acmeVariables = []variable{
	{
		name: "TLS_ACME_DOMAINS", usage: "host names, with commas between, for which certificates are fetched by ACME; the panel has to be reachable there at port 443",
		parse: func(c *config, value string) error {
			for name := range strings.FieldsFuncSeq(value, comma) {
				name = strings.TrimSpace(name)
				ascii, err := idna.Lookup.ToASCII(name)
				if err != nil || net.ParseIP(name) != nil || !strings.Contains(name, ".") {
					return bad("holds %q, which is no host name such as numbers.example.com.", name)
				}
				c.ACME.Domains = append(c.ACME.Domains, ascii)
			}
			return nil
		},
	},
	{
		name: "TLS_ACME_DIRECTORY", usage: "address of another ACME authority than Let's Encrypt",
		parse: func(c *config, value string) error {
			c.ACME.Directory = value
			if u, err := url.Parse(value); value != "" && (err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil) {
				return bad("is no address such as https://ca.example.com/acme/acme/directory.")
			}
			return nil
		},
	},
	{
		name: "TLS_ACME_CA_FILE", usage: "file with the certificates (PEM) that the authority's own is checked against, for one within the house",
		parse: func(c *config, value string) error {
			c.ACME.CAFile = value
			if value == "" {
				return nil
			}
			_, err := rootsFrom(value)
			return err
		},
	},
	{
		name: "TLS_ACME_EMAIL", usage: "e-mail address that the authority may write to",
		parse: func(c *config, value string) error {
			c.ACME.Email = value
			if a, err := mail.ParseAddress(value); value != "" && (err != nil || a.Address != value) {
				return bad("is no e-mail address.")
			}
			return nil
		},
	},
	{
		name: "TLS_ACME_EAB_KID", usage: "id of the key with which an authority that asks for one (external account binding) knows whose panel this is",
		parse: func(c *config, value string) error {
			c.ACME.KeyID = value
			return nil
		},
	},
	{
		name: "TLS_ACME_EAB_KEY", twin: true, secret: true, usage: "that key, in the letters of base64url in which the authority shows it",
		parse: func(c *config, value string) (err error) {
			if c.ACME.Key, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(value, "=")); err != nil {
				return bad("is not in base64url. Copy it as the authority shows it.")
			}
			return nil
		},
	},
}

func rootsFrom(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, bad("cannot be read: %v.", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, bad("holds no certificate (PEM).")
	}
	return pool, nil
}

func (c acmeConfig) faults() (faults []string) {
	if (c.KeyID == "") != (len(c.Key) == 0) {
		faults = append(faults, "TLS_ACME_EAB_KID and TLS_ACME_EAB_KEY belong together. Set both, or neither.")
	}
	if len(c.Domains) == 0 && (c.Directory != "" || c.CAFile != "" || c.KeyID != "") {
		faults = append(faults, "TLS_ACME_DOMAINS is empty. Set the host names for which certificates are to be fetched.")
	}
	return faults
}

// host is the authority's, for people.
func (c acmeConfig) host() string {
	if u, err := url.Parse(cmp.Or(c.Directory, autocert.DefaultACMEDirectory)); err == nil {
		return u.Host
	}
	return c.Directory
}
