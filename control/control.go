// Package control is the contract between the panel process and a worker: the start
// document that goes down the worker's standard input, the exit codes, and HTTP with JSON
// on the worker's unix control socket.
//
// Both sides live here, so that a change to one is seen with the other. A worker of one
// version may meet a panel of another: fields are only ever added, and unknown ones are
// ignored.
package control

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"

	"switchboard/instances"
)

// StartDocument is everything that a worker is told, as one JSON object on its standard
// input, which is closed behind it. It holds secrets, which is why it goes no other way.
type StartDocument struct {
	ID      instances.ID `json:"id"`
	Name    string       `json:"name"`
	Version string       `json:"version"` // of the binary that launched it
	// Dir is the instance's own folder, absolute. The control socket is SocketName in it,
	// the log LogName.
	Dir string `json:"dir"`
	// Listen is host:port of the worker's REST API.
	Listen string `json:"listen"`
	// Token has to come with every request on the control socket.
	Token    string           `json:"token"`
	Database instances.Access `json:"database"`
	// Simulator is set when the worker has to talk to a simulated network and nothing else.
	Simulator *Simulator `json:"simulator,omitempty"`
	LogLevel  string     `json:"log_level,omitempty"` // debug, info (default), warn, error
	// Limits end a worker that exceeds one with the exit code that says which.
	Limits instances.Limits `json:"limits,omitzero"`
	// EgressAllow are networks that requests to addresses of somebody's choice may go to
	// although they are private.
	EgressAllow []netip.Prefix `json:"egress_allow,omitempty"`
	// FFmpeg is the path of that program, "" where it is not installed.
	FFmpeg string `json:"ffmpeg,omitempty"`
	// Connections is how many connections to the database server all numbers of the host have
	// together; 0: they are not counted. Then the file that they are counted in is the worker's
	// open file ConnectionsFile.
	Connections int `json:"connections,omitempty"`
	// Missed is what became of the number since the worker before ended.
	Missed []instances.Change `json:"missed,omitempty"`
	// Settings is the document of what a person set for the number; absent if nothing was.
	Settings json.RawMessage `json:"settings,omitempty"`
}

// ConnectionsFile is the number of the open file in which workers count connections.
const ConnectionsFile = 3

// Simulator names a simulated WhatsApp network.
type Simulator struct {
	Addr    string `json:"addr"`     // host:port, plain TCP
	RootKey string `json:"root_key"` // hex of the 32-byte Curve25519 public key
}

// Names in an instance's folder.
const (
	SocketName = "control.sock"
	LogName    = "worker.log"
)

// ExitCode is how a worker's process ends on purpose. Anything else is a crash.
type ExitCode int

// The exit codes.
const (
	ExitStopped         ExitCode = 0  // asked to
	ExitUsage           ExitCode = 2  // bad start document
	ExitDatabaseRefused ExitCode = 10 // a database cannot be opened
	ExitDatabaseDamaged ExitCode = 11
	ExitDatabaseNewer   ExitCode = 12
	ExitLocked          ExitCode = 13 // another worker holds the number
	ExitPortTaken       ExitCode = 14
	ExitMemoryLimit     ExitCode = 15 // it used more than Limits allow; so do the next two
	ExitFilesLimit      ExitCode = 16
	ExitDiskLimit       ExitCode = 17
	ExitStorageFull     ExitCode = 19 // the disk is full
	ExitOutgrown        ExitCode = 18 // no network, and its sandbox keeps it from new name servers
)

// Handler is what a worker offers on its control socket. Errors that are faults keep
// their kind and message on the way to the panel.
type Handler interface {
	// Report returns the present report.
	Report() instances.Report
	// Changed returns a channel that is closed at the next change of the report.
	Changed() <-chan struct{}
	Pair(ctx context.Context) error
	PairPhone(ctx context.Context, phone string) (instances.PhoneCode, error)
	AnswerPasskey(ctx context.Context, credential []byte) error
	ConfirmPasskey(ctx context.Context) error
	Logout(ctx context.Context) error
	Reconnect(ctx context.Context) error
	SendText(ctx context.Context, to, text string) (instances.Sent, error)
	// Configure takes the settings to work by from now on.
	Configure(ctx context.Context, document json.RawMessage) error
	// Outbox does something with the events of the number; what and in are no matter of this
	// package.
	Outbox(ctx context.Context, what string, in json.RawMessage) (any, error)
	// Events calls tell with the events of the number, from the one after an event on, until
	// ctx ends or tell fails.
	Events(ctx context.Context, after string, tell func(any) error) error
	// API is the worker's REST API without its authentication: whoever holds the control
	// token may use it.
	API() http.Handler
	// Stop makes the worker end; it returns at once.
	Stop()
}
