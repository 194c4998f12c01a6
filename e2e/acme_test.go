package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	wire "encoding/binary"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"switchboard/freeport"
)

// The key with which the authority of these tests knows whose panel asks.
const (
	bindingID  = "kid-1"
	bindingKey = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
)

// authority is Pebble, the ACME server that Let's Encrypt tests clients with.
type authority struct {
	t          *testing.T
	dir        string
	listen     string
	management string
	panelPort  int
	names      string // address of the name server that it asks
	running    *process
	lifetime   time.Duration // of the certificates it gives
}

// newAuthority prepares one that has not been started, and gives certificates to the panel at that port.
func newAuthority(t *testing.T, panelPort int, lifetime time.Duration) *authority {
	t.Helper()
	a := &authority{
		t: t, dir: t.TempDir(), listen: freeAddress(t), management: freeAddress(t), panelPort: panelPort, lifetime: lifetime, names: nameServer(t),
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	a.must(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	a.must(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	a.must(err)
	a.write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	a.write("cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": a.listen, "managementListenAddress": a.management, "certificate": filepath.Join(a.dir, "cert.pem"), "privateKey": filepath.Join(a.dir, "key.pem"),
		"httpPort": 1, "tlsPort": panelPort, "domainBlocklist": []string{"refused.example.com"}, "keyAlgorithm": "ecdsa",
		"externalAccountBindingRequired": true, "externalAccountMACKeys": map[string]string{bindingID: bindingKey},
		"profiles": map[string]any{"default": map[string]any{"description": "The only one", "validityPeriod": int(lifetime.Seconds())}},
	}})
	a.must(err)
	a.write("config.json", config)
	return a
}

func (a *authority) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *authority) write(name string, data []byte) {
	a.t.Helper()
	a.must(os.WriteFile(filepath.Join(a.dir, name), data, 0o600))
}

// start starts it, and waits until it answers.
func (a *authority) start() {
	a.t.Helper()
	a.running = startProgram(a.t, pebble(a.t), a.dir, []string{"PEBBLE_VA_NOSLEEP=1"}, "-config", filepath.Join(a.dir, "config.json"), "-dnsserver", a.names)
	poll(a.t, "the authority answers", func() bool {
		c, err := net.Dial("tcp", a.listen)
		return err == nil && c.Close() == nil
	}, nil)
}

// vars make a panel ask this authority for certificates.
func (a *authority) vars(names string) []string {
	return []string{
		fmt.Sprint("APP_PORT=", a.panelPort), "TLS_ACME_DOMAINS=" + names, "TLS_ACME_DIRECTORY=https://" + a.listen + "/dir",
		"TLS_ACME_CA_FILE=" + filepath.Join(a.dir, "cert.pem"), "TLS_ACME_EMAIL=" + ownerEmail,
		"TLS_ACME_EAB_KID=" + bindingID, "TLS_ACME_EAB_KEY=" + bindingKey,
	}
}

// roots are what browsers that trust the authority trust.
func (a *authority) roots() *x509.CertPool {
	a.t.Helper()
	pool := x509.NewCertPool()
	pem, err := os.ReadFile(filepath.Join(a.dir, "cert.pem"))
	a.must(err)
	pool.AppendCertsFromPEM(pem)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	answer, err := client.Get("https://" + a.management + "/roots/0")
	a.must(err)
	defer answer.Body.Close()
	root := make([]byte, 64<<10)
	n, _ := answer.Body.Read(root)
	pool = x509.NewCertPool()
	if !pool.AppendCertsFromPEM(root[:n]) {
		a.t.Fatalf("the authority's root is %q", root[:n])
	}
	return pool
}

// served waits for a certificate of the panel that is good for name and for which wanted, and returns it.
func (a *authority) served(name string, wanted func(*x509.Certificate) bool) *x509.Certificate {
	a.t.Helper()
	var got *x509.Certificate
	var last error
	roots := a.roots()
	poll(a.t, "the panel has a certificate for "+name, func() bool {
		dialer := &tls.Dialer{NetDialer: &net.Dialer{Timeout: patience}, Config: &tls.Config{ServerName: name, RootCAs: roots}}
		c, err := dialer.DialContext(within(a.t, patience), "tcp", fmt.Sprint("127.0.0.1:", a.panelPort))
		if last = err; err != nil {
			return false
		}
		defer c.Close()
		got = c.(*tls.Conn).ConnectionState().PeerCertificates[0]
		return wanted(got)
	}, func() string { return fmt.Sprint(last) })
	return got
}

func anyCertificate(*x509.Certificate) bool { return true }

// TestCertificates has the panel get its certificate from a real authority, which looks at the panel's port whether it is
// there. A restart does not ask again; what cannot be had is told in the log.
func TestCertificates(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, freePort(t), 90*24*time.Hour)
	p := startPanel(t, startNetwork(t), a.vars("numbers.example.com, refused.example.com")...)
	told := func(what string, words ...string) {
		t.Helper()
		p.tells(what, append(words, "certificate could not be fetched")...)
	}
	told("that the authority is away", "numbers.example.com", a.listen+" does not answer")
	if c, err := tls.Dial("tcp", fmt.Sprint("127.0.0.1:", a.panelPort), &tls.Config{ServerName: "numbers.example.com", InsecureSkipVerify: true}); err == nil {
		_ = c.Close()
		t.Error("the panel speaks TLS without a certificate")
	}

	a.start()
	first := a.served("numbers.example.com", anyCertificate)
	told("that the authority refuses", "refused.example.com", a.listen+" refused", "policy")
	info, err := os.Stat(filepath.Join(p.dir, "storages", "acme", "numbers.example.com"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the certificate's file: %v, %v", info, err)
	}

	p.process.stop()
	a.running.stop()
	p.serve(t)
	again, err := tls.Dial("tcp", fmt.Sprint("127.0.0.1:", a.panelPort), &tls.Config{ServerName: "numbers.example.com", InsecureSkipVerify: true})
	a.must(err)
	defer again.Close()
	if got := again.ConnectionState().PeerCertificates[0]; got.SerialNumber.Cmp(first.SerialNumber) != 0 {
		t.Errorf("after the restart it is %v, before %v", got.SerialNumber, first.SerialNumber)
	}
	out, _ := commandIn(p.dir, p.vars, "", "doctor")
	for _, want := range []string{"ok    certificate", "that for numbers.example.com is good until", "fail  certificate", "there is none for refused.example.com"} {
		if !strings.Contains(out, want) {
			t.Errorf("doctor lacks %q:\n%s", want, out)
		}
	}
}

// tells waits for a line of the panel's log that has all these words.
func (p *panel) tells(what string, words ...string) {
	p.t.Helper()
	poll(p.t, what+" is told", func() bool {
		for line := range strings.Lines(p.stderr.tail(50_000)) {
			if containsAll(line, words) {
				return true
			}
		}
		return false
	}, func() string { return p.stderr.tail(2_000) })
}

// TestCertificateIsRenewed waits until two thirds of a short-lived one are over. Where the authority is away by then,
// the log says so while the certificate is still good.
func TestCertificateIsRenewed(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, freePort(t), 24*time.Second)
	a.start()
	p := startPanel(t, startNetwork(t), a.vars("numbers.example.com")...)
	first := a.served("numbers.example.com", anyCertificate)
	a.served("numbers.example.com", func(c *x509.Certificate) bool { return c.SerialNumber.Cmp(first.SerialNumber) != 0 })
	a.running.stop()
	p.tells("that the certificate is not renewed", "certificate could not be renewed", "numbers.example.com", a.listen+" does not answer")
}

func containsAll(text string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

func freeAddress(t *testing.T) string {
	t.Helper()
	return fmt.Sprint("127.0.0.1:", freePort(t))
}

func freePort(t *testing.T) int {
	t.Helper()
	port, err := freeport.Take()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// nameServer answers that every name is this machine, until the test ends. The authority asks it over TCP.
func nameServer(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // the test is over
			}
			go func() {
				defer c.Close()
				_ = nameAnswer(c)
			}()
		}
	}()
	return l.Addr().String()
}

// nameAnswer reads one question, which has its length before it, and answers.
func nameAnswer(c net.Conn) error {
	var length uint16
	if err := wire.Read(c, wire.BigEndian, &length); err != nil {
		return err
	}
	packet := make([]byte, length)
	if _, err := io.ReadFull(c, packet); err != nil {
		return err
	}
	var m dnsmessage.Message
	if err := m.Unpack(packet); err != nil {
		return err
	}
	m.Response, m.Authoritative, m.Additionals = true, true, nil
	if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1}, Body: &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
		}}
	}
	answer, err := m.Pack()
	if err != nil {
		return err
	}
	_, err = c.Write(append(wire.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
	return err
}

// pebble finds the authority's program, which scripts/tools.sh builds.
func pebble(t *testing.T) string {
	t.Helper()
	if path, err := exec.LookPath("pebble"); err == nil {
		return path
	}
	path, err := filepath.Abs(filepath.Join("..", ".tools", "pebble"))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		t.Fatal("The ACME authority for tests is missing; build it with: scripts/tools.sh acme")
	}
	return path
}
