// Package settings is what a person can set for a number beyond its life and its pairing:
// webhooks, keys, automatic answers, pace, retention, limits, proxy.
//
// A number's settings are one document. The control database keeps it, encrypted, since it
// holds secrets; a worker gets it with its start document and again at every change, and
// works by its copy while the panel is gone. Fields are only ever added, and unknown ones
// are ignored: a worker of one version may meet a panel of another.
package settings

import (
	"time"

	"switchboard/instances"
)

// Settings of one number. The zero value is a number that was never set up: no webhooks,
// no keys, nothing automatic, no limits.
type Settings struct {
	// Revision rises with every change; a worker reports the one it works by.
	Revision int64 `json:"revision,omitempty"`

	Webhooks []Webhook `json:"webhooks,omitempty"` // in a worker's copy those for all numbers too
	Keys     []Key     `json:"keys,omitempty"`

	// Region is the ISO 3166 code of the country whose phone numbers may be written without
	// their country code; "" for none.
	Region string `json:"region,omitempty"`

	Automation Automation `json:"automation,omitzero"`
	Pace       Pace       `json:"pace,omitzero"`
	Retention  Retention  `json:"retention,omitzero"`
	Media      Media      `json:"media,omitzero"`

	// Limits are those of this number alone, zero where those of all numbers hold, or with Shared
	// those of all; in a worker's copy they are complete.
	Limits instances.Limits `json:"limits,omitzero"`

	// Proxy is the URL of an HTTP or SOCKS5 proxy for everything that goes to WhatsApp, with
	// user and password if it wants them; "" for none.
	Proxy string `json:"proxy,omitempty"`
}

// Webhook is an endpoint that is told of events.
type Webhook struct {
	ID     string `json:"id"`
	Shared bool   `json:"shared,omitempty"` // for all numbers
	Kind   string `json:"kind,omitempty"`   // as sinks.Kind has them, "" for a webhook
	URL    string `json:"url"`              // may have a password in it
	// Where at a broker events go; see sinks.Target.
	Exchange   string `json:"exchange,omitempty"`
	RoutingKey string `json:"routing_key,omitempty"`
	Subject    string `json:"subject,omitempty"`
	// Secret signs what is delivered: "whsec_" and base64, as Standard Webhooks has it.
	Secret string `json:"secret"`
	// Events are the names to deliver, "message.*" for all below one; none means all.
	Events []string `json:"events,omitempty"`
	// Chats are JIDs, or "*@g.us" for a whole kind; with some, only events of these chats are
	// delivered. IgnoreChats takes chats out again.
	Chats       []string          `json:"chats,omitempty"`
	IgnoreChats []string          `json:"ignore_chats,omitempty"`
	Headers     map[string]string `json:"headers,omitempty"`
	Paused      bool              `json:"paused,omitempty"`
	// SkipVerify takes any TLS certificate.
	SkipVerify bool      `json:"skip_verify,omitempty"`
	CreatedAt  time.Time `json:"created_at,omitzero"`
}

// Key lets a program use one number's API on the number's own port. The secret is not in it.
type Key struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Hash      string    `json:"hash"`             // SHA-256 of the secret, hex
	Scopes    []string  `json:"scopes,omitempty"` // read, send, manage; none means all three
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at,omitzero"` // zero: never
}

// Automation is what a number does by itself. The names of the texts are those of
// go-whatsapp-web-multidevice.
type Automation struct {
	// Reply answers the first message of a person, then not again for a while; "" never.
	Reply       string `json:"reply,omitempty"`
	Read        bool   `json:"read,omitempty"`         // mark what arrives as read
	RejectCalls bool   `json:"reject_calls,omitempty"` // decline calls
	// Presence is announced when connected: "available", "unavailable" or "" for neither.
	Presence string `json:"presence,omitempty"`
}

// Pace slows down what a number sends, so that WhatsApp takes it for a person; zero values
// do not.
type Pace struct {
	PerMinute int `json:"per_minute,omitempty"` // messages
	// NewChatPause is how long after the first message to a stranger the next stranger waits.
	NewChatPause time.Duration `json:"new_chat_pause,omitempty"`
	// Nothing is sent from QuietFrom to QuietTo, minutes of the day in Zone; equal: no quiet hours.
	QuietFrom int    `json:"quiet_from,omitempty"`
	QuietTo   int    `json:"quiet_to,omitempty"`
	Zone      string `json:"zone,omitempty"` // IANA name; "" is UTC
}

// Retention bounds what is kept of messages; zero values keep all. Events that were not
// delivered yet are kept whatever it says.
type Retention struct {
	Days      int   `json:"days,omitempty"`
	MaxBytes  int64 `json:"max_bytes,omitempty"` // of messages and media together
	MediaDays int   `json:"media_days,omitempty"`
}

// Media says what becomes of media that arrive.
type Media struct {
	// NoDownload leaves media with WhatsApp until somebody asks for them.
	NoDownload bool  `json:"no_download,omitempty"`
	MaxBytes   int64 `json:"max_bytes,omitempty"` // larger ones are left too; 0: 100 MB
	// Bucket is an S3-compatible store for media; zero: the number's folder.
	Bucket Bucket `json:"bucket,omitzero"`
	// Earlier are buckets where nothing is put any more, but files still lie.
	Earlier []Bucket `json:"earlier,omitempty"`
}
