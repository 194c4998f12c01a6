// Package messages keeps one instance's messages, chats and contacts in its main database
// ("whatsapp_<id>").
//
// The worker writes, through Save; the panel reads, through Latest. Both hold their own
// handle on the same database. The package knows nothing of WhatsApp's protocol: whatsapp
// translates events into Message and calls Save before WhatsApp is told that the message
// arrived.
package messages

import "time"

// Message is one stored message.
type Message struct {
	Chat       string // JID of the chat without device; the phone-number form where known
	ID         string // WhatsApp's id, unique within a chat and sender
	Sender     string // JID without device; phone-number form where known
	SenderLID  string // the hidden form, "" where unknown
	SenderName string // push name as it came with the message, "" if none
	FromMe     bool
	Kind       Kind
	Text       string // text or caption; what a person would read
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

// Delivery is how far a message from me got. It only ever moves forward.
type Delivery string

// The steps of a delivery.
const (
	Queued    Delivery = "queued"
	SentOut   Delivery = "sent"
	Delivered Delivery = "delivered"
	Read      Delivery = "read"
	NotSent   Delivery = "failed"
)
