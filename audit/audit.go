// Package audit keeps a record of who did what to which number, when, from where, and how
// it ended.
//
// Entries are only ever added. Each carries a keyed hash of itself and of the entry before
// it, so that an entry that was changed, removed or slipped in later shows; the newest one
// is noted in a file besides, so that it shows too when the end of the log is cut off. The
// log holds no secret and no text of a message.
package audit

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode"

	"switchboard/fault"
)

// Result is how something ended.
type Result string

// The results.
const (
	OK      Result = "ok"
	Refused Result = "refused" // it was not allowed
	Failed  Result = "failed"  // it was allowed, and did not work
)

// Entry is one thing that was done, or tried.
type Entry struct {
	Seq      int64     `json:"seq"`
	At       time.Time `json:"at"`
	User     int64     `json:"user,omitempty"` // 0: nobody who is known
	Who      string    `json:"who"`            // the e-mail address they had then
	Via      string    `json:"via"`            // "panel", "command", "token ID", …
	Address  string    `json:"address"`
	Action   string    `json:"action"`             // "instances.start"
	Instance string    `json:"instance,omitempty"` // id of the number
	Target   string    `json:"target,omitempty"`   // what else it was done to
	Result   Result    `json:"result"`
	Detail   string    `json:"detail,omitempty"`
	Hash     string    `json:"hash"`
}

// Query asks for entries, the newest first. Zero fields do not narrow it.
type Query struct {
	Text string // somewhere in who, via, address, action, instance, target or detail
	// Actions and Instances are what else the text stands for: an entry that has one of these is found, too.
	Actions, Instances []string
	Instance           string
	From, To           time.Time
	Before             int64 // only entries with a smaller Seq
	Limit              int
}

// Store keeps entries. Its methods are atomic and safe for concurrent use.
type Store interface {
	// LastEntry returns the newest entry, a zero one if there is none.
	LastEntry(ctx context.Context) (Entry, error)
	// AddEntry inserts one. A Seq that is taken is a fault.Conflict.
	AddEntry(ctx context.Context, e Entry) error
	// Entries answers a query.
	Entries(ctx context.Context, q Query) ([]Entry, error)
	// EachEntry calls f with every entry, oldest first, until f fails.
	EachEntry(ctx context.Context, f func(Entry) error) error
	// RemoveEntries removes all up to and with that Seq.
	RemoveEntries(ctx context.Context, upTo int64) error
	// OldEntry returns the newest entry from before a time, a zero one if there is none.
	OldEntry(ctx context.Context, before time.Time) (Entry, error)
}

// Log adds entries to a store and reads them. It is safe for concurrent use, and several
// processes may add to one store.
type Log struct {
	store  Store
	key    []byte
	anchor string
	log    *slog.Logger

	mu   sync.Mutex
	last Entry // Seq 0: not known
}

// New returns the log that is kept in store. key makes the hashes. anchor is the file that
// notes the newest entry, "" for none.
func New(store Store, key []byte, anchor string, log *slog.Logger) *Log {
	return &Log{store: store, key: key, anchor: anchor, log: log}
}

// Add adds e, completing Seq, At and Hash. What cannot be written is told in the program's
// log: whatever e is about has happened already.
func (l *Log) Add(ctx context.Context, e Entry) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := l.add(ctx, e); err != nil {
		l.log.ErrorContext(ctx, "cannot write to the audit log", "action", e.Action, "error", err)
	}
}

func (l *Log) add(ctx context.Context, e Entry) error {
	for _, s := range []*string{&e.Who, &e.Via, &e.Address, &e.Action, &e.Instance, &e.Target, &e.Detail} {
		*s = clean(*s)
	}
	e.At = time.Now().UTC().Truncate(time.Millisecond)
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if l.last.Seq == 0 {
			last, err := l.store.LastEntry(ctx)
			if err != nil {
				return err
			}
			l.last = last
			if err := l.compare(ctx, last); fault.KindOf(err) == fault.Conflict {
				l.last = Entry{} // another process was adding just now, and nothing is missing
				continue
			} else if err != nil {
				return err
			}
		}
		e.Seq = l.last.Seq + 1
		e.Hash = l.hash(l.last.Hash, e)
		err := l.store.AddEntry(ctx, e)
		switch {
		case fault.KindOf(err) == fault.Conflict:
			l.last = Entry{} // another process was quicker
			continue
		case err != nil:
			l.last = Entry{}
			return err
		}
		l.last = e
		return l.note(e)
	}
}

// compare looks, before the first entry of this process, whether the log still has the end
// that was noted, and writes down if it has not: the note is about to be overwritten.
func (l *Log) compare(ctx context.Context, last Entry) error {
	noted, err := l.noted()
	if err != nil || noted.Seq <= last.Seq {
		return nil //nolint:nilerr // Verify tells about a damaged note
	}
	e := Entry{Seq: last.Seq + 1, At: time.Now().UTC().Truncate(time.Millisecond), Via: "panel", Action: "audit.truncated",
		Target: fmt.Sprintf("%d to %d", last.Seq+1, noted.Seq), Result: Failed, Detail: "entries are missing at the end"}
	e.Hash = l.hash(last.Hash, e)
	if err := l.store.AddEntry(ctx, e); err != nil {
		return err
	}
	l.log.ErrorContext(ctx, "the end of the audit log is missing", "had", noted.Seq, "has", last.Seq)
	l.last = e
	return nil
}

// clean makes a value one line of bounded length.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:300], "")
	}
	return s
}

func (l *Log) hash(before string, e Entry) string {
	e.Hash, e.At = "", e.At.UTC()
	text, err := json.Marshal(e)
	if err != nil {
		panic(err) // texts and numbers: it cannot fail
	}
	mac := hmac.New(sha256.New, l.key)
	mac.Write([]byte(before + "\n"))
	mac.Write(text)
	return hex.EncodeToString(mac.Sum(nil))
}

// note writes the newest entry's place and hash beside the database.
func (l *Log) note(e Entry) error {
	if l.anchor == "" {
		return nil
	}
	draft, err := os.CreateTemp(filepath.Dir(l.anchor), ".draft-*") // mode 0600
	if err != nil {
		return fmt.Errorf("note the newest entry: %w", err)
	}
	defer os.Remove(draft.Name()) // fails after the rename, as it should
	_, err = fmt.Fprintf(draft, "%d %s\n", e.Seq, e.Hash)
	if err := errors.Join(err, draft.Close()); err != nil {
		return fmt.Errorf("note the newest entry: %w", err)
	}
	if err := os.Rename(draft.Name(), l.anchor); err != nil {
		return fmt.Errorf("note the newest entry: %w", err)
	}
	return nil
}

// Entries answers a query.
func (l *Log) Entries(ctx context.Context, q Query) ([]Entry, error) {
	all, err := l.store.Entries(ctx, q)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, "The control database does not answer. Please try again in a moment.", err)
	}
	return all, nil
}

// Rekeyed writes down that the log has a new key, because the one before cannot be read any
// more. What was written until now can be shown, but not checked.
func (l *Log) Rekeyed(ctx context.Context) error {
	return l.add(ctx, Entry{Via: "panel", Action: rekeyed, Result: OK, Detail: "the secret key was replaced"})
}

const rekeyed = "audit.key-replaced"

// pruned is the action of the entry that says up to where older ones were removed.
const pruned = "audit.pruned"

// Prune removes what is older than a time, and writes that down first.
func (l *Log) Prune(ctx context.Context, before time.Time) error {
	old, err := l.store.OldEntry(ctx, before)
	if err != nil || old.Seq == 0 {
		return err
	}
	if err := l.add(ctx, Entry{Via: "panel", Action: pruned, Target: cut(old), Result: OK}); err != nil {
		return err
	}
	return l.store.RemoveEntries(ctx, old.Seq)
}

func cut(e Entry) string { return fmt.Sprintf("%d %s", e.Seq, e.Hash) }

// Verify reads the whole log and returns how many entries it has. The first one that is not
// as it was written is an error that names it.
func (l *Log) Verify(ctx context.Context) (count int, err error) {
	noted, err := l.noted()
	if err != nil {
		return 0, err
	}
	var before Entry
	var first Entry // hash of what stood before it, if older ones were removed
	cuts := map[string]bool{}
	var bad error
	var unchecked int64
	err = l.store.EachEntry(ctx, func(e Entry) error {
		count++
		switch {
		case before.Seq == 0 && e.Seq != 1:
			first = e // checked when an entry tells the hash before it
		case e.Seq != before.Seq+1:
			return broken("Entries are missing between %d and %d.", before.Seq, e.Seq)
		case l.hash(before.Hash, e) != e.Hash:
			if bad == nil {
				bad = broken("Entry %d is not as it was written, or the one before it is not.", e.Seq)
			}
		case e.Action == rekeyed && (bad != nil || first.Seq != 0):
			unchecked, bad, first = e.Seq-1, nil, Entry{}
		}
		if e.Action == "audit.truncated" && bad == nil {
			bad = broken("Entries %s were missing at the end before entry %d was written.", e.Target, e.Seq)
		}
		if e.Action == pruned {
			cuts[e.Target] = true
		}
		if e.Seq == noted.Seq && e.Hash != noted.Hash {
			return broken("Entry %d is another one than was noted beside the database.", e.Seq)
		}
		before = e
		return nil
	})
	if err = cmp.Or(err, bad); err != nil {
		return count, err
	}
	if first.Seq != 0 && !l.continues(first, cuts) {
		return count, broken("Entries before %d are missing, and nothing says that they were removed for their age.", first.Seq)
	}
	if before.Seq < noted.Seq {
		return count, broken("The log ends with entry %d, and there were %d: the end is missing.", before.Seq, noted.Seq)
	}
	if unchecked > 0 {
		return count, fault.New(fault.Conflict, fmt.Sprintf(
			"Entries up to %d were written under a secret key that is gone, and cannot be checked. All later ones are as they were written.", unchecked))
	}
	return count, nil
}

// continues tells whether the first entry that is left follows on one that was removed for
// its age.
func (l *Log) continues(first Entry, cuts map[string]bool) bool {
	for c := range cuts {
		seq, hash, _ := strings.Cut(c, " ")
		if seq == fmt.Sprint(first.Seq-1) && l.hash(hash, first) == first.Hash {
			return true
		}
	}
	return false
}

func broken(format string, args ...any) error {
	return fault.New(fault.Conflict, "The audit log was tampered with. "+fmt.Sprintf(format, args...))
}

// noted reads what note wrote.
func (l *Log) noted() (e Entry, err error) {
	if l.anchor == "" {
		return e, nil
	}
	text, err := os.ReadFile(l.anchor)
	if os.IsNotExist(err) {
		return e, nil
	}
	if err != nil {
		return e, fmt.Errorf("read the newest entry's note: %w", err)
	}
	if _, err := fmt.Sscanf(string(text), "%d %s", &e.Seq, &e.Hash); err != nil {
		return e, broken("The file %s is damaged.", l.anchor)
	}
	return e, nil
}
