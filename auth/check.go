package auth

import (
	"bufio"
	"bytes"
	"compress/gzip"
	_ "embed"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"switchboard/fault"
)

const (
	longestEmail     = 254 // RFC 5321
	longestName      = 80
	shortestPassword = 12
	longestPassword  = 1000 // bytes; far beyond any person, and no work for an attacker to cause
)

// checkEmail returns the address as it is stored and compared: trimmed, in lower case.
func checkEmail(email string) (string, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	switch {
	case email == "":
		return "", fault.InField("email", "Enter an e-mail address.")
	case len(email) > longestEmail:
		return "", fault.InField("email", "This e-mail address is too long; the longest that works has 254 characters.")
	}
	parsed, err := mail.ParseAddress(email)
	if err != nil || parsed.Address != email || !printable(email) || strings.ContainsAny(email, " \"") {
		return "", fault.InField("email", "This is not an e-mail address. One looks like name@example.org.")
	}
	return email, nil
}

// checkName returns the name as it is shown; an empty one becomes the first part of email.
func checkName(name, email string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" {
		name, _, _ = strings.Cut(email, "@")
	}
	switch {
	case !printable(name):
		return "", fault.InField("name", "A name cannot hold line breaks or other control characters.")
	case utf8.RuneCountInString(name) > longestName:
		return "", fault.InField("name", "This name is too long; 80 characters are the most.")
	}
	return name, nil
}

// checkPassword says whether a new password is good enough. Length is what counts; no
// rules about digits and signs, which only make people write it down.
func checkPassword(password, email string) error {
	lower := strings.ToLower(password)
	local, _, _ := strings.Cut(email, "@")
	switch {
	case password == "":
		return fault.InField("password", "Enter a password.")
	case !utf8.ValidString(password):
		return fault.InField("password", "This password holds bytes that are no text. Please choose another.")
	case utf8.RuneCountInString(password) < shortestPassword:
		return fault.InField("password", "This password is too short. Use at least 12 characters; three or four words are a good start.")
	case len(password) > longestPassword:
		return fault.InField("password", "This password is too long; 1,000 characters are the most.")
	case lower == email || lower == local:
		return fault.InField("password", "The password cannot be your e-mail address. Please choose another.")
	case isCommon(lower):
		return fault.InField("password", "This password is one of the first that anybody would try. Please choose another.")
	}
	return nil
}

// Valid tells whether r is one of the roles.
func (r Role) Valid() bool {
	switch r {
	case Owner, Administrator, Operator, Viewer:
		return true
	}
	return false
}

func checkRole(role Role) error {
	if role.Valid() {
		return nil
	}
	return fault.InField("role", "The role has to be one of owner, administrator, operator, viewer.")
}

func printable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
}

// isCommon reports whether a password in lower case is a well-known one, or such a one with
// digits and signs behind it or repeated until it is long enough ("password2026!").
func isCommon(lower string) bool {
	core := strings.TrimRightFunc(lower, func(r rune) bool { return !unicode.IsLetter(r) })
	tried := map[string]bool{lower: true, core: true}
	for n := 1; n <= len(lower)/2; n++ {
		unit := lower[:n]
		if strings.HasPrefix(strings.Repeat(unit, len(lower)/n+1), lower) {
			if n < 4 {
				return true
			}
			tried[unit] = true
		}
	}
	if wellKnown(tried) {
		return true
	}
	return strings.Contains("01234567890123456789", lower) ||
		strings.Contains("98765432109876543210", lower) ||
		strings.Contains("abcdefghijklmnopqrstuvwxyz", lower)
}

// common is the list of well-known passwords, in lower case, one a line: those that
// @zxcvbn-ts/language-common 4.1.3 (MIT) ranks, from leaks, and some of our own.
//
//go:embed common.txt.gz
var common []byte

// wellKnown reports whether one of words is a well-known password. It reads through the
// list, which takes some milliseconds and, unlike a table, no memory in between.
func wellKnown(words map[string]bool) bool {
	list, err := gzip.NewReader(bytes.NewReader(common))
	if err != nil {
		panic(err) // it is part of the program
	}
	lines := bufio.NewScanner(list)
	for lines.Scan() {
		if words[lines.Text()] {
			return true
		}
	}
	return false
}
