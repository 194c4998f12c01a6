package engine

import (
	"context"
	"crypto/tls"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
)

// tooMany is the server's code for "too many clients already" and for a role's own limit.
const tooMany = "53300"

// starting is its code while it starts, stops or recovers.
const starting = "57P03"

// Away tells whether err says that the database server is away for now: stopped, starting,
// out of reach, without a free connection, or that it ended this connection. What failed may
// be tried again, as a whole. Errors of SQLite never say that.
func Away(err error) bool {
	if own, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch own.Code {
		case tooMany, starting, "57P01", "57P02", "57P05": // shutdown, crash, idle for too long
			return true
		case "08P01": // PgBouncer has one code for all its troubles
			return !strings.Contains(own.Message, "no such") && !strings.Contains(own.Message, "startup parameter") && !strings.Contains(own.Message, "statement pooling")
		}
		return strings.HasPrefix(own.Code, "08") // connection exceptions
	}
	var network *net.OpError
	var name *net.DNSError
	var number syscall.Errno
	var locked interface{ SafeToRetry() bool }
	switch {
	case err == nil:
		return false
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, net.ErrClosed),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return true
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded): // in a time that pgx was given
		return true
	case errors.As(err, &name):
		return true
	case errors.As(err, &network) && network.Op != "listen":
		return true
	case errors.As(err, &number):
		switch number {
		case syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, syscall.EHOSTUNREACH, syscall.ENETUNREACH:
			return true
		}
	}
	return errors.As(err, &locked) && locked.SafeToRetry() // nothing was sent
}

// why says in words what a failed connection means.
func why(err error) string {
	var own pgconn.PgError
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		own = *e
	}
	switch code := own.Code; {
	case strings.HasPrefix(code, "28"): // invalid authorization
		return "refuses the login; check the user and the password in DB_URI"
	case code == "3D000", code == "42501": // no such database, no privilege
		return "does not open the database of that name; check that it exists and that the user may connect to it"
	case code == tooMany:
		return "has no connection left; raise its max_connections, or stop some numbers"
	case code == starting:
		return "is starting or stopping; try again in a minute"
	case code != "":
		return "refuses the connection (" + own.Message + "); look at the parameters in DB_URI, and into the server's log"
	}
	var shown *tls.CertificateVerificationError
	switch {
	case errors.As(err, &shown):
		return "shows a certificate that is not accepted (" + shown.Err.Error() + "); name the root that it leads to with sslrootcert in DB_URI, and the server as the certificate does"
	case strings.Contains(err.Error(), "server refused TLS"): // pgx has no error of its own for that
		return "speaks no TLS, which sslmode in DB_URI asks for; set it up there, or use sslmode=disable where nobody can listen"
	}
	return "does not answer; check that it runs, and the host and port in DB_URI"
}
