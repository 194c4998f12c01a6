package sandbox

import (
	"os"
	"path/filepath"
)

// system lists what programs on the network read of a Linux system, of whatever
// distribution: nothing in it is secret. The private keys in /etc/ssl and /etc/pki are not
// in it, nor are /etc, /proc and the home folders.
func system() []string {
	paths := []string{
		// Authorities of TLS, and the folders that the links among them lead to.
		"/etc/ssl/certs", "/etc/ssl/cert.pem", "/etc/ssl/ca-bundle.pem",
		"/etc/pki/tls/certs", "/etc/pki/tls/cacert.pem", "/etc/pki/ca-trust/extracted",
		"/etc/ca-certificates", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates",
		"/usr/share/pki", "/var/lib/ca-certificates",
		// Name lookup; the folders are where /etc/resolv.conf may link to.
		"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf",
		"/etc/services", "/etc/protocols",
		"/run/systemd/resolve", "/run/NetworkManager/resolv.conf", "/run/resolvconf", "/run/connman", "/run/netconfig",
		// Modules that the C library loads for name lookup.
		"/etc/ld.so.cache", "/lib", "/lib64", "/usr/lib", "/usr/lib64",
		// Time zones.
		"/etc/localtime", "/usr/share/zoneinfo", "/usr/lib/locale",
		// How many connections may wait for a listener.
		"/proc/sys/net/core/somaxconn",
	}
	// Go looks for authorities there instead, and crypto/x509 takes no other hint.
	//nolint:forbidigo // the variables are Go's, not the program's; whoever starts the process sets them
	file, dirs := os.Getenv("SSL_CERT_FILE"), os.Getenv("SSL_CERT_DIR")
	if file != "" {
		paths = append(paths, file)
	}
	return append(paths, filepath.SplitList(dirs)...)
}
