package bucket

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"switchboard/egress"
	"switchboard/fault"
	"switchboard/settings"
)

// errNoBucket tells a bucket that is not there from a file that is not.
var errNoBucket = errors.New("no such bucket")

// unanswered is what a person reads when no answer came.
func (b *Bucket) unanswered(ctx context.Context, err error) error {
	var looked *net.DNSError
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.Is(err, egress.ErrRefused):
		return err // a fault that says so
	case errors.Is(ctx.Err(), context.Canceled):
		return err
	case errors.As(err, &looked):
		return fault.Wrap(fault.Unavailable, "There is no host "+looked.Name+", or this server cannot find it.", err)
	case errors.As(err, &untrusted):
		return fault.Wrap(fault.Unavailable, "The certificate of the store at "+b.base.Host+" cannot be trusted.", err)
	}
	return fault.Wrap(fault.Unavailable, "The store at "+b.base.Host+" does not answer.", err)
}

// sentence is what a person reads for what stores call their refusals; "" for what speaks
// for itself.
func sentence(code string) (fault.Kind, string) {
	switch code {
	case "InvalidAccessKeyId", "XAdminUserNotFound":
		return fault.Invalid, "The store does not know this access key."
	case "SignatureDoesNotMatch":
		return fault.Invalid, "The secret key does not belong to this access key."
	case "RequestTimeTooSkewed":
		return fault.Unavailable, "The clock of this server and that of the store differ too much. Set the clock of this server."
	case "QuotaExceeded", "XMinioStorageFull":
		return fault.Unavailable, "The store is full."
	case "EntityTooLarge":
		return fault.Invalid, "The store does not take files of this size."
	case "NoSuchKey":
		return fault.NotFound, "This file is no longer in the bucket."
	case "SlowDown":
		return fault.Unavailable, "The store asks for fewer requests at a time."
	case "BadDigest", "XAmzContentSHA256Mismatch":
		return fault.Unavailable, "A file arrived damaged at the store."
	}
	return fault.Internal, ""
}

// refused is what a person reads of an answer that is no good one. Whatever else is in it is
// for the log.
func (b *Bucket) refused(method string, res *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(res.Body, 16<<10))
	code, detail := within(body, "Code"), within(body, "Message")
	cause := fmt.Errorf("%s answers %d %s: %.200s", b.base.Host, res.StatusCode, code, detail)
	if kind, text := sentence(code); text != "" {
		return fault.Wrap(kind, text, cause)
	}
	moved := res.Header.Get("X-Amz-Bucket-Region")
	if moved == "" {
		moved = within(body, "Region")
	}
	switch {
	case code == "NoSuchBucket":
		return fault.Wrap(fault.NotFound, "There is no bucket named "+b.at.Name+" at this store.", errors.Join(errNoBucket, cause))
	case res.StatusCode == http.StatusNotFound && code == "" && method == http.MethodGet:
		return fault.Wrap(fault.NotFound, "This file is no longer in the bucket.", cause)
	case res.StatusCode/100 == 3, code == "AuthorizationHeaderMalformed", code == "PermanentRedirect":
		if moved != "" && moved != b.at.Region && settings.IsRegion(moved) {
			return fault.Wrap(fault.Invalid, "This bucket is in the region "+moved+".", cause)
		}
		return fault.Wrap(fault.Invalid, "The store wants this bucket to be asked at another address or region.", cause)
	case res.StatusCode == http.StatusForbidden, res.StatusCode == http.StatusUnauthorized:
		verb := map[string]string{http.MethodPut: "write to", http.MethodDelete: "delete from"}[method]
		if verb == "" {
			verb = "read from"
		}
		return fault.Wrap(fault.Forbidden, "This access key may not "+verb+" the bucket "+b.at.Name+".", cause)
	}
	return fault.Wrap(fault.Unavailable, fmt.Sprintf("The store at %s answers %d.", b.base.Host, res.StatusCode), cause)
}

// within returns the text of the first element of that name. Answers of stores are XML; more
// of it is not needed.
func within(body []byte, name string) string {
	_, rest, ok := strings.Cut(string(body), "<"+name+">")
	text, _, closed := strings.Cut(rest, "</"+name+">")
	if !ok || !closed {
		return ""
	}
	return strings.ToValidUTF8(text, "")
}
