package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"switchboard/audit"
	"switchboard/fault"
	"switchboard/secrets"
)

const (
	auditPurpose = "key of the audit log"
	auditKeyName = "audit"
	auditAnchor  = "audit.head" // in the storage folder
)

// audit opens the audit log. Its key is random and kept sealed, so that a new secret key
// does not make old entries unreadable; where it cannot be opened any more, a new one takes
// its place and the log says so.
func (s *storage) audit(ctx context.Context, log *slog.Logger) (*audit.Log, error) {
	box, err := secrets.New(s.key, auditPurpose)
	if err != nil {
		return nil, err
	}
	key := random()
	fresh := box.Seal(key)
	sealed, err := s.store.KeepKey(ctx, auditKeyName, fresh)
	if err != nil {
		return nil, err
	}
	anchor := filepath.Join(s.dir, auditAnchor)
	if opened, err := box.Open(sealed); err == nil {
		return audit.New(s.store, opened, anchor, log), nil
	}
	if err := s.store.ReplaceKey(ctx, auditKeyName, fresh); err != nil {
		return nil, err
	}
	record := audit.New(s.store, key, anchor, log)
	return record, record.Rekeyed(ctx)
}

// random makes a key of 256 bits.
func random() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return key
}

// record writes what a command did into the audit log.
func (s *storage) record(ctx context.Context, log *slog.Logger, outcome error, done func() (action, target string)) {
	l, err := s.audit(ctx, log)
	if err != nil {
		log.Error("cannot open the audit log", "error", err)
		return
	}
	e := audit.Entry{Via: "command", Result: audit.OK, Who: "user " + fmt.Sprint(os.Getuid()) + " of the machine"}
	e.Action, e.Target = done()
	if outcome != nil {
		e.Result, e.Detail = audit.Failed, fault.MessageOf(outcome)
	}
	l.Add(ctx, e)
}

// pruneAudit removes entries that are older than keep, once a day, until end is called; 0 keeps all.
func pruneAudit(l *audit.Log, keep time.Duration, log *slog.Logger) (end func()) {
	if keep == 0 {
		return func() {}
	}
	return every(0, 24*time.Hour, func(ctx context.Context) {
		if err := l.Prune(ctx, time.Now().Add(-keep)); err != nil && ctx.Err() == nil {
			log.Warn("old entries of the audit log were not removed", "error", err)
		}
	})
}

func auditCommand(ctx context.Context, env environment, args []string) error {
	return dispatch(ctx, env, "switchboard audit", []command{
		{"verify", "check that no entry was changed, removed or slipped in", auditVerify},
		{"export", "write every entry to standard output", auditExport},
	}, args)
}

// withAudit opens the audit log of the installation for a command.
func withAudit(ctx context.Context, name string, env environment, args []string, flags func(*flag.FlagSet), work func(*audit.Log) error) error {
	c, err := loadConfig(name, args, env, flags)
	if err != nil {
		return err
	}
	if err := mustBeThere(c); err != nil {
		return err
	}
	s, err := openStorage(ctx, c, false)
	if err != nil {
		return err
	}
	defer s.Close()
	l, err := s.audit(ctx, newLog(env.stderr, max(c.LogLevel, slog.LevelWarn)))
	if err != nil {
		return err
	}
	return work(l)
}

func auditVerify(ctx context.Context, env environment, args []string) error {
	return withAudit(ctx, "audit verify", env, args, nil, func(l *audit.Log) error {
		count, err := l.Verify(ctx)
		if err == nil {
			fmt.Fprintf(env.stdout, "All %d entries are as they were written.\n", count)
		}
		return err
	})
}

func auditExport(ctx context.Context, env environment, args []string) error {
	var format string
	return withAudit(ctx, "audit export", env, args, func(f *flag.FlagSet) {
		f.StringVar(&format, "format", "jsonl", "jsonl or csv")
	}, func(l *audit.Log) error {
		write := audit.WriteJSONL
		switch format {
		case "jsonl":
		case "csv":
			write = audit.WriteCSV
		default:
			return refuse("--format is %q. Use jsonl or csv.", format)
		}
		entries, err := l.Entries(ctx, audit.Query{})
		if err != nil {
			return err
		}
		slices.Reverse(entries) // as it was written
		return write(env.stdout, entries)
	})
}
