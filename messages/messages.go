// Package messages keeps one instance's messages, chats and contacts in its main database
// ("whatsapp_<id>").
//
// The worker writes, through Save; the panel reads, through Latest. Both hold their own
// handle on the same database. The package knows nothing of WhatsApp's protocol: whatsapp
// translates events into Message and calls Save before WhatsApp is told that the message
// arrived.
package messages

import (
	"context"
	"database/sql"
	"sync"
	"time"
)

// Message is one stored message.
type Message struct {
	Chat       string // JID of the chat without device; the phone-number form where known
	ChatLID    string // the hidden form of a chat with one person, "" where unknown
	ID         string // WhatsApp's id, unique within a chat and sender
	Sender     string // JID without device; phone-number form where known
	SenderLID  string // the hidden form, "" where unknown
	SenderName string // push name as it came with the message, "" if none
	FromMe     bool
	Kind       Kind
	Text       string // text or caption; what a person would read
	Target     string // id of the message that an edit, a revocation, a reaction or a vote is about
	At         time.Time
	Status     Delivery // of a message from me; "" for others
	Raw        []byte   // the protobuf as received, for features that come later
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
	Reaction      Kind = "reaction"
	Edited        Kind = "edited"
	Revoked       Kind = "revoked"
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

	mu  sync.Mutex
	seq int64
}

// New returns the store in db, which has the instance migrations applied and stays the
// caller's to close.
func New(db *sql.DB, opts ...Option) *Messages {
	m := &Messages{db: db}
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

// nextSeq numbers rows in the order of their storing, across restarts too.
func (m *Messages) nextSeq() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seq = max(m.seq+1, time.Now().UnixMicro())
	return m.seq
}
