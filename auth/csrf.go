package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"net/http"

	"switchboard/fault"
)

// Where the CSRF token travels: in a form and in a header.
const (
	CSRFField  = "csrf_token"
	CSRFHeader = "X-CSRF-Token"
)

// CSRF returns the token that forms (CSRFField) and htmx (CSRFHeader) have to send back. It
// needs Middleware. It is made from the cookie's secret, which no other site can read, so
// that it belongs to one browser and changes with every sign-in; before sign-in it belongs
// to the anonymous cookie.
func (a *Auth) CSRF(r *http.Request) string {
	secret := visitOf(r.Context()).secret
	if secret == "" {
		return ""
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("csrf"))
	return letters.EncodeToString(mac.Sum(nil))
}

// CheckCSRF returns a fault.Forbidden unless r carries the token of its own cookie. It may
// read the form, so limit the body before it; a body over that limit is a fault.TooLarge.
func (a *Auth) CheckCSRF(r *http.Request) error {
	got := r.Header.Get(CSRFHeader)
	if got == "" {
		// Only a body over its limit is of interest: without a form there is no token either.
		var tooLarge *http.MaxBytesError
		if err := r.ParseForm(); errors.As(err, &tooLarge) {
			return fault.Wrap(fault.TooLarge, "This form holds more than can be taken. Please shorten it.", err)
		}
		got = r.PostForm.Get(CSRFField)
	}
	want := a.CSRF(r)
	if want == "" || !hmac.Equal([]byte(got), []byte(want)) {
		return fault.New(fault.Forbidden, "This page is out of date, perhaps because you signed in or out in another window. Please reload it and try again.")
	}
	return nil
}
