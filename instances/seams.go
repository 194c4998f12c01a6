package instances

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// Store keeps instances in the control database. Every method is atomic and safe for
// concurrent use.
type Store interface {
	// Instances returns all, oldest first.
	Instances(ctx context.Context) ([]Instance, error)
	// AddInstance inserts one. requestID makes it idempotent: if an instance was already
	// added with the same non-empty requestID, its id comes back and nothing changes. A name
	// in use (compared case-insensitively) or a port in use is a fault.Conflict with Field
	// "name" or "port".
	AddInstance(ctx context.Context, inst Instance, requestID string) (ID, error)
	// SaveInstance writes the fields that outlive a worker: name, phone, jid, lid, push
	// name, desired, status, reason, since, retry_at, active_at, restarts.
	SaveInstance(ctx context.Context, inst Instance) error
	// RemoveInstance deletes the record; an unknown id is no error.
	RemoveInstance(ctx context.Context, id ID) error
}

// ErrLost says that databases which were made before are missing or empty, and do not come
// back by themselves.
var ErrLost = errors.New("databases lost")

// ErrNoRoom says that a worker could not be started because the disk is full.
var ErrNoRoom = errors.New("no room on the disk")

// Databases makes and drops the two databases of an instance.
type Databases interface {
	// Names says what an instance's databases are called. It does no I/O.
	Names(id ID) Database
	// Provision makes what is missing and returns the access for the worker. It is
	// idempotent: killed half-way, the next call completes it.
	Provision(ctx context.Context, id ID) (Access, error)
	// Access returns the access to databases that were made before, and makes nothing. What
	// is missing of them is a fault.Unavailable that wraps ErrLost.
	Access(ctx context.Context, id ID) (Access, error)
	// Drop removes whatever exists of the two databases. Idempotent.
	Drop(ctx context.Context, id ID) error
}

// Settings knows what each number's worker is to work by. What is in it is no matter of the
// core, which only brings it to the worker.
type Settings interface {
	// Revision tells documents of a number apart. It is 0 if nothing was ever set, and does no
	// I/O.
	Revision(id ID) int64
	Document(ctx context.Context, id ID) (json.RawMessage, error)
}

// Launcher starts workers and finds those that run already. It is the seam to the place
// where workers live: above it nothing knows of processes, paths or sockets.
type Launcher interface {
	// Launch starts a worker. It returns as soon as the worker was started; whether it works
	// is told by its reports and its exit. ctx bounds the launch only.
	Launch(ctx context.Context, spec Spec) (Worker, error)
	// Find returns the worker of id if one runs, whoever started it, or nil, nil.
	Find(ctx context.Context, id ID) (Worker, error)
	// Discard removes everything that the launcher keeps for id outside its databases (its
	// folder, logs). The worker must have ended. Idempotent.
	Discard(ctx context.Context, id ID) error
}

// Spec is what a worker is started with.
type Spec struct {
	ID       ID
	Name     string
	Port     int
	Database Access
	Settings json.RawMessage // a document of Options.Settings, nil without one
	// Missed is what became of the number while no worker ran, the oldest first, for those who
	// follow it by the events that workers store.
	Missed []Change
	// Version is the version to run, one that Facts told earlier; "" for the present one. A
	// launcher that does not have it any more runs the present one.
	Version string
}

// Change is a change of status.
type Change struct {
	Status Status    `json:"status"`
	Was    Status    `json:"was"`
	Reason Reason    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}

// Worker is a running worker. All methods are safe for concurrent use; those with a
// context ask the worker and return a fault if it refuses or does not answer.
type Worker interface {
	// Facts do not change during the worker's life.
	Facts() Facts
	// Reports streams the worker's reports, the current one first, until ctx ends or the
	// worker does; then the channel is closed. A worker that has nothing to say still sends
	// its report every ten seconds, so that silence means trouble.
	Reports(ctx context.Context) <-chan Report
	// Exited is closed when the worker has ended; then Exit tells how.
	Exited() <-chan struct{}
	Exit() Exit
	// Stop asks the worker to end, and ends it by force after grace. It returns when the
	// worker and everything it started are gone, or when ctx ends.
	Stop(ctx context.Context, grace time.Duration) error

	// Pair begins a new round of QR codes.
	Pair(ctx context.Context) error
	// PairPhone asks WhatsApp for a code to type on the phone with that number (digits).
	PairPhone(ctx context.Context, phone string) (PhoneCode, error)
	// AnswerPasskey passes on the authenticator's PublicKeyCredential (JSON).
	AnswerPasskey(ctx context.Context, credential []byte) error
	// ConfirmPasskey says that the person compared the code with the phone.
	ConfirmPasskey(ctx context.Context) error
	// Logout unlinks the number from the phone. The worker keeps running, unpaired.
	Logout(ctx context.Context) error
	// Reconnect drops the connection to WhatsApp and makes a new one.
	Reconnect(ctx context.Context) error
	// SendText sends a text and returns when WhatsApp's server has acknowledged it. to is
	// a JID or a phone number in digits.
	SendText(ctx context.Context, to, text string) (Sent, error)
	// Configure gives the worker the settings to work by from now on. It returns when they are
	// in force.
	Configure(ctx context.Context, document json.RawMessage) error
	// Outbox asks for something about the number's events, which are no matter of the core. in
	// and out are JSON objects, or nil.
	Outbox(ctx context.Context, what string, in, out any) error
	// Events calls tell with the number's events from the one after an event on, and with nil
	// at the beginning and whenever none came for a while, until ctx ends, tell fails or the
	// worker ends the stream.
	Events(ctx context.Context, after string, tell func(json.RawMessage) error) error
	// API reaches the worker's own REST API; the request's path is the API's path.
	API() http.RoundTripper
}

// Facts of a running worker.
type Facts struct {
	PID       int
	Port      int
	Version   string
	StartedAt time.Time
}

// Exit tells how a worker ended.
type Exit struct {
	Asked  bool   // it was told to stop, and did
	Reason Reason // never "" unless Asked
	// Final: starting it again would end the same way; a person has to act first.
	Final bool
	Lines []string // the last lines it wrote, redacted by the worker's own logging rules
}

// Paired is a paired number in a store of another program.
type Paired struct {
	JID      string // with device
	PushName string
	Source   string // where it was found, in words for a person; no credentials
	Imported bool   // it was taken over before
}

// Importer takes paired numbers over from a store of another program, which it never
// changes.
type Importer interface {
	// Found returns the paired numbers, those that were imported already included.
	Found(ctx context.Context) ([]Paired, error)
	// Copy brings one into the databases of an instance. Idempotent.
	Copy(ctx context.Context, p Paired, to Access) error
}
