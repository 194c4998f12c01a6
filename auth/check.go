package auth

import (
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"switchboard/fault"
)

const (
	longestEmail     = 254 // RFC 5321
	longestName      = 80
	shortestPassword = 10
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
		return fault.InField("password", "This password is too short. Use at least 10 characters; three or four words are a good start.")
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
	if wellKnown[lower] || wellKnown[core] {
		return true
	}
	for n := 1; n <= len(lower)/2; n++ {
		unit := lower[:n]
		if strings.HasPrefix(strings.Repeat(unit, len(lower)/n+1), lower) && (n < 4 || wellKnown[unit]) {
			return true
		}
	}
	return strings.Contains("01234567890123456789", lower) ||
		strings.Contains("98765432109876543210", lower) ||
		strings.Contains("abcdefghijklmnopqrstuvwxyz", lower)
}

// wellKnown are the words at the top of every list of leaked passwords that are, alone or
// with digits behind them, long enough to pass.
var wellKnown = func() map[string]bool {
	known := map[string]bool{}
	for _, word := range strings.Fields(`
		password passwort passw0rd p@ssw0rd p@ssword pa55word password1 passwords motdepasse contraseña
		kennwort wachtwoord geheim secret supersecret topsecret changeme changethis letmein letmeinnow
		welcome willkommen bienvenue bienvenido login signin access master administrator admin adminadmin
		root rootroot toor default guest user username test testtest testing tester demo demodemo example
		qwerty qwertz azerty qwertyuiop qwertzuiop azertyuiop asdfghjkl asdfghjklö zxcvbnm qwerty123
		qwertyui asdfasdf asdf1234 1q2w3e4r5t 1q2w3e4r 1qaz2wsx 1qaz2wsx3edc q1w2e3r4t5 zaq12wsx
		qazwsxedc qazwsxedcrfv 1q2w3e4r5t6y abc123 abcd1234 a1b2c3d4e5 aa12345678 1234qwer qwer1234
		123456789a 12345678910 1234567890 0123456789 0987654321 123123123 1122334455 147258369
		iloveyou ilovegod sunshine princess football baseball basketball superman batman spiderman
		pokemon starwars monkey dragon shadow michael jennifer jessica ashley charlie jordan liverpool
		chelsea arsenal barcelona realmadrid computer internet samsung google facebook instagram
		whatsapp whatsapp123 telegram signal switchboard correcthorsebatterystaple
		trustno1 whatever freedom mustang hunter summer winter spring autumn sommer
		nothing forever killer hello helloworld hallo bonjour flower cheese cookie`) {
		known[word] = true
	}
	return known
}()
