// Package sending sees to it that what is asked to be sent is sent once, and when it is time.
//
// A request with an Idempotency-Key is noted before it is done, with the id that its message
// will have. Asked for again it gets the answer of the first time; when the process ended in
// between, it is done again under the same id, which WhatsApp takes for the message that it
// knows. What is to be sent later, or slower than it is asked for, waits in the same table
// until it is due, also while nothing runs.
package sending

import (
	"encoding/json"
	"time"
)

// State is how far a send is.
type State string

// The states. A send that is working when a process ends is taken up again by the next.
const (
	Waiting   State = "waiting" // for its time, its turn, or a connection
	Working   State = "working"
	Done      State = "done"
	Failed    State = "failed" // for good; Reason says why
	Cancelled State = "cancelled"
)

// Send is one request to send.
type Send struct {
	ID         string
	Key        string // Idempotency-Key, "" without one
	Hash       string // of what was asked for
	Path       string // of the operation
	Chat       string // whom it goes to; "" where it goes to nobody
	Parameters json.RawMessage
	Files      map[string]File // by the parameter's name
	MessageID  string
	State      State
	Due        time.Time // not before
	RetryAt    time.Time // nor before this; zero: no try has failed
	Attempts   int
	Stranger   bool // the first message to somebody
	Answer     Answer
	Reason     string
	CreatedAt  time.Time
	ChangedAt  time.Time
}

// File is a file that waits with its send, in the queue's folder.
type File struct {
	Stored string `json:"stored"` // its name in the folder
	Name   string `json:"name,omitempty"`
	Media  string `json:"media,omitempty"`
	Size   int64  `json:"size"`
}

// Answer is what a client gets.
type Answer struct {
	Status int
	Body   json.RawMessage
}

// reasonOf is what a person may read about why a send was refused.
func reasonOf(a Answer) string {
	var body struct {
		Message string `json:"message"`
	}
	_ = json.Unmarshal(a.Body, &body) // an answer without one has no reason
	return body.Message
}
