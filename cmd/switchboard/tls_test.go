package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certificate writes a certificate for 127.0.0.1 and its key, and returns the certificate.
func certificate(t *testing.T, dir string, serial int64) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "panel"}, IPAddresses: []net.IP{net.ParseIP("127.0.0.1")},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	parsed, err := x509.ParseCertificate(der)
	must(t, err)
	return parsed
}

// The panel speaks TLS itself, and browsers get a cookie that goes nowhere else.
func TestOwnTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert := certificate(t, dir, 1)
	write(t, dir, ".env", "TLS_CERT_FILE=cert.pem\nTLS_KEY_FILE=key.pem\n")
	server := startServe(t, dir)
	defer server.stop(t)
	if !strings.HasPrefix(server.url, "https://127.0.0.1:") {
		t.Fatalf("it is at %s", server.url)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	get := func(client *http.Client, url string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		must(t, err)
		answer, err := client.Do(r)
		must(t, err)
		must(t, answer.Body.Close())
		return answer
	}
	answer := get(client, server.url+"/login?account=yes")
	if answer.StatusCode != http.StatusOK || !strings.HasPrefix(answer.Header.Get("Strict-Transport-Security"), "max-age=31536000") {
		t.Errorf("%d, %v", answer.StatusCode, answer.Header)
	}
	for _, c := range answer.Cookies() {
		if c.Name != "__Host-switchboard" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" {
			t.Errorf("the cookie is %+v", c)
		}
	}
	if answer := get(http.DefaultClient, "http"+strings.TrimPrefix(server.url, "https")+"/login"); answer.StatusCode != http.StatusBadRequest {
		t.Errorf("without TLS: %d", answer.StatusCode)
	}
}

// A renewed certificate is used without a restart; a broken one is not.
func TestRenewedCertificate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certificate(t, dir, 1)
	pair := &keyPair{cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem")}
	serial := func() int64 {
		t.Helper()
		pair.checked = time.Time{}
		got, err := pair.get(nil)
		must(t, err)
		leaf, err := x509.ParseCertificate(got.Certificate[0])
		must(t, err)
		return leaf.SerialNumber.Int64()
	}
	renewed := func(at time.Time) { must(t, os.Chtimes(pair.cert, at, at)) }
	if n := serial(); n != 1 {
		t.Errorf("serial %d", n)
	}
	certificate(t, dir, 2)
	renewed(time.Now().Add(time.Minute))
	if n := serial(); n != 2 {
		t.Errorf("serial %d after the renewal", n)
	}
	write(t, dir, "cert.pem", "nonsense")
	renewed(time.Now().Add(2 * time.Minute))
	if n := serial(); n != 2 {
		t.Errorf("serial %d after a broken renewal", n)
	}
}

func TestTLSThatCannotBe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certificate(t, dir, 1)
	for vars, want := range map[string]string{
		"TLS_CERT_FILE=cert.pem":                                                           "belong together",
		"TLS_CERT_FILE=cert.pem TLS_KEY_FILE=cert.pem":                                     "cannot be used",
		"TLS_CERT_FILE=cert.pem TLS_KEY_FILE=key.pem TLS_ACME_DOMAINS=numbers.example.com": "both set",
		"TLS_ACME_DOMAINS=127.0.0.1":                                                       "host name",
		"OIDC_ISSUER=https://login.example.com":                                            "belong together",
		"OIDC_ROLE=owner":                                                                  "viewer, operator or administrator",
		"SMTP_HOST=mail.example.com":                                                       "belong together",
		"AUDIT_KEEP_DAYS=-1":                                                               "number of days",
	} {
		expect(t, runIn(t, dir, append(strings.Fields(vars), "APP_PORT=0"), "", "serve"), 2, want)
	}
}
