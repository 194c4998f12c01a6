// Package messages keeps one instance's messages, chats and contacts in its main database
// ("whatsapp_<id>").
//
// The worker writes and reads, the panel reads beside it with its own handle on the same
// database. The package knows nothing of WhatsApp's protocol: whatsapp
// translates events into Message and calls Save before WhatsApp is told that the message
// arrived.
package messages

import (
	"context"
	"database/sql"
	"sync"
	"sync/atomic"
	"time"

	"switchboard/engine"
)

// Message is one stored message. What is said below to be read only is filled in by the
// methods that read, and ignored by Save.
type Message struct {
	Chat       string // JID of the chat without device; the phone-number form where known
	ChatLID    string // the hidden form of a chat with one person, "" where unknown
	ID         string // WhatsApp's id, unique within a chat and sender
	Sender     string // JID without device; phone-number form where known
	SenderLID  string // the hidden form, "" where unknown
	SenderName string // push name as it came with the message, "" if none
	FromMe     bool
	Kind       Kind
	Text       string // text or caption; what a person would read. Of an edited message the latest
	Target     string // id of the message that an edit, a revocation, a reaction or a vote is about
	At         time.Time
	Status     Delivery // of a message from me; "" for others
	Reason     string   // why it failed, for a person to read; "" if it did not
	Raw        []byte   // the protobuf as received, for features that come later

	Quoted       string // id of the message that this one answers, "" if none
	QuotedSender string
	QuotedText   string
	Mentions     []string // JIDs
	Forwarded    bool
	ViewOnce     bool
	// Admin says of a revocation that an administrator of the group made it, who may take
	// back what others wrote.
	Admin bool

	Media    *Media    // what there is to fetch; nil if nothing
	Question *Question // of a poll
	Votes    []string  // what a vote chose; none takes an earlier vote back
	Sealed   bool      // … is not known yet, since its poll is not stored

	// Read only.
	Name      string // of the sender, as the phone's address book has it, else as they call themselves
	ChatName  string // of a group or channel, "" where it is not known
	Starred   bool
	EditedAt  time.Time // zero: never
	RevokedAt time.Time // taken back by its sender or by an administrator
	Reactions []Reacted // in the order of their times
	Call      *Call     // of a message of kind Called
	StoredAt  time.Time
}

// Reacted is one person's reaction to a message.
type Reacted struct {
	Person, PersonLID string
	Name              string
	FromMe            bool
	Emoji             string
	At                time.Time
}

// Question is what a poll asks.
type Question struct {
	Text       string
	Options    []string
	Selectable int       // how many may be chosen; 0: all
	Early      []Message // votes that came before it, with what they chose
}

// Kind of a message in the words that the panel shows.
type Kind string

// The kinds. Unknown content is kept as Other with Raw, never dropped.
const (
	Text          Kind = "text"
	Image         Kind = "image"
	Video         Kind = "video"
	Audio         Kind = "audio"
	Document      Kind = "document"
	Sticker       Kind = "sticker"
	Location      Kind = "location"
	Contact       Kind = "contact"
	Poll          Kind = "poll"
	Vote          Kind = "vote"
	Reaction      Kind = "reaction"
	Edited        Kind = "edited"
	Revoked       Kind = "revoked"
	Called        Kind = "call"
	Undecryptable Kind = "undecryptable"
	Other         Kind = "other"
)

// Delivery is how far a message from me got. It only ever moves forward: a message that
// counted as failed and is confirmed after all becomes delivered, never the other way round.
type Delivery string

// The steps of a delivery, in order.
const (
	Queued    Delivery = "queued"
	NotSent   Delivery = "failed"
	SentOut   Delivery = "sent"
	Delivered Delivery = "delivered"
	Read      Delivery = "read"
)

// Person is what is known of somebody by name. Empty fields leave what is stored.
type Person struct {
	JID          string // phone-number form where known
	LID          string
	Name         string // as in the phone's address book
	PushName     string // as the person calls themselves
	BusinessName string
}

// Messages is the store. Its methods may be called from any goroutine; errors are those of
// the database.
type Messages struct {
	db     *sql.DB
	fence  func(ctx context.Context, tx *sql.Tx) error // nil: none
	outbox Outbox                                      // nil: nobody subscribes

	engine string // which one, where it matters: in searching

	writing  sync.Mutex
	fresh    int          // messages with words that are not in the index, of which writing is the lock
	queuedAt atomic.Int64 // Unix nanoseconds when a message was last stored to be sent

	expiries expiries

	gather   sync.Mutex
	gathered *batch              // what is to be written with what comes next
	underway map[*batch]struct{} // what is being written
	armed    bool                // a timer looks after what gathered

	mu  sync.Mutex
	seq int64 // the latest number of a row; 0 before the first is asked for
}

// New returns the store in db, which has the instance migrations applied and stays the
// caller's to close.
func New(db *sql.DB, opts ...Option) *Messages {
	m := &Messages{db: db, engine: engine.Behind(db), underway: map[*batch]struct{}{}, fresh: fewWords} // others may be there
	for _, opt := range opts {
		opt(m)
	}
	return m
}

// Option changes how messages are kept.
type Option func(*Messages)

// WithFence has every transaction that writes begin with f, whose error ends it.
func WithFence(f func(ctx context.Context, tx *sql.Tx) error) Option {
	return func(m *Messages) { m.fence = f }
}

// nextSeq numbers rows in the order of their storing, across restarts too, whatever the clock
// does meanwhile.
func (m *Messages) nextSeq(ctx context.Context, tx *sql.Tx) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seq == 0 {
		if err := tx.QueryRowContext(ctx, `SELECT coalesce(max("seq"), 0) FROM "messages"`).Scan(&m.seq); err != nil {
			return 0, err
		}
	}
	m.seq = max(m.seq+1, time.Now().UnixMicro())
	return m.seq, nil
}
