// Package fault is the one error type that crosses package borders.
//
// A fault carries a kind, from which the HTTP layer picks a status code and the
// commands pick an exit code, and a message that is safe to show to a person. The cause
// stays inside for the log. An error that is not a fault is Internal: it is logged, and
// the person reads a general sentence.
package fault

import "errors"

// Kind tells what went wrong in the terms that callers act on.
type Kind int

// The kinds. Internal is the zero value, so that a foreign error is never shown by mistake.
const (
	Internal Kind = iota
	Invalid
	NotFound
	Conflict
	Forbidden
	Unauthenticated
	Throttled
	TooLarge
	Unavailable
)

// Error is a fault. Message is one or two plain sentences that end in a full stop; Field
// names the form field or JSON member it belongs to, and may be empty.
type Error struct {
	Kind    Kind
	Message string
	Field   string
	Err     error // logged, never shown
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + " (" + e.Err.Error() + ")"
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Err }

// New makes a fault without a cause.
func New(kind Kind, message string) *Error { return &Error{Kind: kind, Message: message} }

// Wrap makes a fault from a cause.
func Wrap(kind Kind, message string, err error) *Error {
	return &Error{Kind: kind, Message: message, Err: err}
}

// InField makes an Invalid fault that belongs to one field of the input.
func InField(field, message string) *Error {
	return &Error{Kind: Invalid, Message: message, Field: field}
}

// KindOf returns the kind of the outermost fault in err's chain, Internal if there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// MessageOf returns what a person may read about err. It is never empty for a non-nil err.
func MessageOf(err error) string {
	var e *Error
	if errors.As(err, &e) && e.Message != "" {
		return e.Message
	}
	return "Something went wrong on our side. It has been written to the log; please try again."
}

// FieldOf returns the field that err belongs to, or "".
func FieldOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Field
	}
	return ""
}

// Fields returns every fault in err that belongs to a field, in order: a form with two bad
// fields is one error, made with errors.Join.
func Fields(err error) []*Error {
	switch e := err.(type) { //nolint:errorlint // it walks the tree itself: errors.As would stop at the first
	case *Error:
		if e.Field != "" {
			return []*Error{e}
		}
		return Fields(e.Err)
	case interface{ Unwrap() []error }:
		var all []*Error
		for _, one := range e.Unwrap() {
			all = append(all, Fields(one)...)
		}
		return all
	case interface{ Unwrap() error }:
		return Fields(e.Unwrap())
	}
	return nil
}
