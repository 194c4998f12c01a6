package worker

import (
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"switchboard/control"
	"switchboard/engine"
	"switchboard/instances"
	"switchboard/sandbox"
)

// scratch is the folder for temporary files in the number's own, the only one where a
// confined worker may write.
const scratch = "tmp"

// private keeps what the process leaves on disk from other users: files are made private,
// and a crash writes no image of the memory, which holds keys.
func private() {
	syscall.Umask(0o077)
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
}

// confine takes from the process what it does not need. Only whoever holds the lock on the
// number's folder may call it.
func confine(doc control.StartDocument) (sandbox.Effective, error) {
	// Whatever lies there belonged to a worker that was killed.
	temporary := filepath.Join(doc.Dir, scratch)
	if err := os.RemoveAll(temporary); err != nil {
		return sandbox.Effective{}, fmt.Errorf("clear the folder for temporary files: %w", err)
	}
	if err := os.Mkdir(temporary, 0o700); err != nil {
		return sandbox.Effective{}, fmt.Errorf("make the folder for temporary files: %w", err)
	}
	//nolint:forbidigo // SQLite and the standard library ask nothing but this variable where temporary files go
	if err := os.Setenv("TMPDIR", temporary); err != nil {
		return sandbox.Effective{}, err
	}
	rules := sandbox.Rules{Own: doc.Dir}
	if doc.FFmpeg != "" {
		rules.Start = []string{doc.FFmpeg}
	}
	if doc.Database.Engine == engine.Postgres {
		rules.Sockets, rules.Read = ofServer(doc.Database)
	}
	return sandbox.Confine(rules)
}

// ofServer returns what a PostgreSQL server is reached through on this machine: the folders
// of unix sockets, and the certificates that its URI names. A URI that cannot be read is
// reported when it is opened.
func ofServer(a instances.Access) (sockets, files []string) {
	config, err := engine.ParsePostgres(a.Main)
	if err != nil {
		return nil, nil
	}
	hosts := []string{config.Host}
	for _, f := range config.Fallbacks {
		hosts = append(hosts, f.Host)
	}
	for _, host := range hosts {
		if strings.HasPrefix(host, "/") {
			sockets = append(sockets, host)
		}
	}
	if uri, err := url.Parse(a.Main); err == nil {
		if path := uri.Query().Get("sslrootcert"); filepath.IsAbs(path) {
			files = append(files, path)
		}
	}
	return sockets, files
}

// tellConfined says in the log how far the process is confined.
func tellConfined(log *slog.Logger, e sandbox.Effective) {
	if e.Landlock == 0 {
		log.Warn("this kernel has no landlock: the worker is not kept from other files")
		return
	}
	log.Info("worker is confined to its folder", "landlock", e.Landlock, "signals", e.Signals)
}
