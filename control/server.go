package control

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"

	"switchboard/instances"
)

var errSkeleton = errors.New("not there yet")

// Listen makes the control socket in an instance's folder and listens on it. It replaces
// a socket that was left behind: the caller holds the lock of the instance. The length of
// dir does not matter.
func Listen(dir string) (net.Listener, error) { return nil, errSkeleton }

// Serve answers the panel on l until ctx ends, and returns nil then.
func Serve(ctx context.Context, l net.Listener, token string, h Handler) error { return errSkeleton }

// ReadStartDocument reads and checks the one JSON object on a worker's standard input.
func ReadStartDocument(r io.Reader) (StartDocument, error) { return StartDocument{}, errSkeleton }

// NoteExit leaves code in the instance's folder for a panel that is not the worker's
// parent and so cannot learn the exit code. A worker calls it last, before it ends on
// purpose.
func NoteExit(dir string, code ExitCode) error { return errSkeleton }

// Client asks a worker over its control socket. It is safe for concurrent use.
type Client struct{}

// Dial returns a client for the worker behind socket. It does not connect yet.
func Dial(socket, token string) *Client { return &Client{} }

func (c *Client) Reports(ctx context.Context) <-chan instances.Report { return nil }
func (c *Client) Pair(ctx context.Context) error                      { return errSkeleton }
func (c *Client) PairPhone(ctx context.Context, phone string) (instances.PhoneCode, error) {
	return instances.PhoneCode{}, errSkeleton
}
func (c *Client) AnswerPasskey(ctx context.Context, credential []byte) error { return errSkeleton }
func (c *Client) ConfirmPasskey(ctx context.Context) error                   { return errSkeleton }
func (c *Client) Logout(ctx context.Context) error                           { return errSkeleton }
func (c *Client) Reconnect(ctx context.Context) error                        { return errSkeleton }
func (c *Client) SendText(ctx context.Context, to, text string) (instances.Sent, error) {
	return instances.Sent{}, errSkeleton
}
func (c *Client) Stop(ctx context.Context) error { return errSkeleton }
func (c *Client) API() http.RoundTripper         { return nil }
