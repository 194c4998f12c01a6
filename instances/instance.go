// Package instances is the core of Switchboard: what a number is, which states it can be
// in, and the supervisor that keeps every number as its owner wishes it.
//
// One goroutine per instance is the only writer of that instance. The package knows no
// transport, no database engine, no process: it declares what it needs (Store, Databases,
// Launcher) and cmd fills that in.
package instances

import "time"

// Instance is one WhatsApp number as the panel knows it: what is kept in the control
// database, and what was last heard from its worker. Values are copies; changing one
// changes nothing.
type Instance struct {
	ID    ID
	Name  string
	Phone string // digits in international form as given by a person, "" if unknown
	Owner int64  // user who created it

	// Set by pairing, kept after a logout until the next pairing.
	JID      string // with device, "491700000001:7@s.whatsapp.net"
	LID      string
	PushName string

	Desired Desired
	Status  Status
	Reason  Reason
	Since   time.Time // when Status or Reason last changed
	RetryAt time.Time // in Backoff or Restricted: when the next try is due; otherwise zero

	// ProvenAt is when WhatsApp last gave a sign of life on the socket. Zero if never.
	ProvenAt time.Time
	// ActiveAt is when a message last came or went. Zero if never; the record may be some
	// minutes behind.
	ActiveAt time.Time

	Port      int
	Database  Database
	Restarts  int // unasked-for restarts since creation
	CreatedAt time.Time

	// Of the running worker; zero without one.
	PID       int
	Version   string
	StartedAt time.Time

	// Limits are what it may use of the machine, as the worker last said.
	Limits Limits

	// KeysUsed is when each key of the number's own API was last used, by the key's id, as
	// the worker last said.
	KeysUsed map[string]time.Time

	// Pairing is what a person needs for pairing right now, nil when there is nothing.
	// It holds secrets: it is never logged and never stored.
	Pairing *Pairing

	// EndedFor is why the worker last ended without being asked to and was started again, and
	// EndedAt when. They are not stored: the next panel does not know.
	EndedFor Reason
	EndedAt  time.Time

	// LastLines are the last lines that the worker wrote before it ended, for Failed.
	LastLines []string

	// Detail is a sentence for a person that says more than Reason, for Failed and Backoff: it
	// names the file or server. "" without one. It is not stored.
	Detail string
}

// Database names the two databases of an instance. It holds no credentials.
type Database struct {
	Engine string `json:"engine"` // "sqlite" or "postgres"
	Main   string `json:"main"`   // "whatsapp_<id>"
	Keys   string `json:"keys"`   // "keys_<id>"
}

// Access is what a worker needs to open the two databases of its own instance and no
// other. Main and Keys are data source names and may hold a password: they go through the
// worker's standard input only.
type Access struct {
	Engine string `json:"engine"`
	Main   string `json:"main"`
	Keys   string `json:"keys"`
}

// Pairing is the state of linking a number to the phone.
type Pairing struct {
	// Code is the text of the QR code on show; "" when there is none.
	Code      string    `json:"code,omitempty"`
	ExpiresAt time.Time `json:"expires_at,omitzero"` // of Code
	Turn      int       `json:"turn,omitempty"`      // this is code Turn …
	Turns     int       `json:"turns,omitempty"`     // … of so many; after the last a person asks for more

	// PhoneCode is the eight-character code that is typed on the phone, "ABCD-EFGH".
	PhoneCode          string    `json:"phone_code,omitempty"`
	PhoneCodeFor       string    `json:"phone_code_for,omitempty"` // digits of the phone
	PhoneCodeExpiresAt time.Time `json:"phone_code_expires_at,omitzero"`

	// Passkey is set while WhatsApp asks for a passkey.
	Passkey *Passkey `json:"passkey,omitempty"`
}

// Passkey is the step that WhatsApp asks of some accounts since mid-2026: the account's
// passkey has to sign a challenge, and then a code is compared with the phone.
type Passkey struct {
	// Request is the WebAuthn PublicKeyCredentialRequestOptions as JSON, as WhatsApp sent it.
	Request []byte `json:"request,omitempty"`
	// Confirmation is the code to compare with the phone, "" before the response was sent.
	Confirmation string `json:"confirmation,omitempty"`
}

// Report is what a worker says about itself. It is complete: the newest replaces all
// before it.
type Report struct {
	Status   Status    `json:"status"` // only those with Status.OfWorker
	Reason   Reason    `json:"reason,omitempty"`
	JID      string    `json:"jid,omitempty"`
	LID      string    `json:"lid,omitempty"`
	PushName string    `json:"push_name,omitempty"`
	ProvenAt time.Time `json:"proven_at,omitzero"`
	ActiveAt time.Time `json:"active_at,omitzero"` // when a message last came or went, in this process
	RetryAt  time.Time `json:"retry_at,omitzero"`  // Restricted: when the limit ends, if WhatsApp said so
	Pairing  *Pairing  `json:"pairing,omitempty"`
	Settings int64     `json:"settings,omitempty"` // the revision that the worker works by
	Limits   Limits    `json:"limits,omitzero"`    // that the worker keeps to
	// KeysUsed is when each key of the number's own API was last used, by the key's id.
	KeysUsed map[string]time.Time `json:"keys_used,omitempty"`
}

// PhoneCode answers a request for pairing by phone number.
type PhoneCode struct {
	Code      string    `json:"code"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Sent describes a message that WhatsApp's server has acknowledged, or that waits for its turn.
type Sent struct {
	ID       string    `json:"id"`
	Chat     string    `json:"chat"`
	At       time.Time `json:"at"`
	Queued   bool      `json:"queued,omitempty"`
	Unquoted bool      `json:"unquoted,omitempty"` // the message that it answers is not known, so it shows no quote
}
