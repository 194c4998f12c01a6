package handlers

import (
	"regexp"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"switchboard/fault"
	"switchboard/instances"
)

// jid matches the addresses of chats that a person may paste instead of a phone number.
var jid = regexp.MustCompile(`^[0-9-]{5,40}@(s\.whatsapp\.net|lid|g\.us)$`)

// parsePhone returns the digits of a phone number in international form, or a fault for
// field that says what is wrong. It asks whether a number of that country can be this long,
// not whether it is in use: only WhatsApp knows that.
func parsePhone(field, text string) (string, error) {
	wrong := func(message string) (string, error) { return "", fault.InField(field, message) }
	text = strings.TrimSpace(text)
	if text == "" {
		return wrong("Enter a phone number.")
	}
	if rest, found := strings.CutPrefix(text, "00"); found {
		text = "+" + rest
	}
	if strings.HasPrefix(text, "0") {
		return wrong("Begin with the country code instead of 0, for example +49 170 1234567.")
	}
	if !strings.HasPrefix(text, "+") {
		text = "+" + text
	}
	if strings.ContainsFunc(text[1:], func(c rune) bool { return !strings.ContainsRune("0123456789 ()-./\u00a0", c) }) {
		return wrong("This is not a phone number. One looks like +49 170 1234567.")
	}
	n, err := phonenumbers.Parse(text, "")
	if err != nil {
		return wrong("This is not a phone number. Begin with the country code, for example +49 170 1234567.")
	}
	switch phonenumbers.IsPossibleNumberWithReason(n) {
	case phonenumbers.IS_POSSIBLE:
	case phonenumbers.TOO_SHORT, phonenumbers.IS_POSSIBLE_LOCAL_ONLY:
		return wrong("This phone number is too short. Is a digit missing?")
	case phonenumbers.TOO_LONG:
		return wrong("This phone number is too long. Is there a digit too many?")
	default:
		return wrong("This is not a phone number. Begin with the country code, for example +49 170 1234567.")
	}
	digits := strings.TrimPrefix(phonenumbers.Format(n, phonenumbers.E164), "+")
	if _, err := instances.CheckPhone(digits); err != nil {
		return wrong(fault.MessageOf(err))
	}
	return digits, nil
}

// parseRecipient returns whom a message goes to: a phone number in digits, or a chat's JID.
func parseRecipient(field, text string) (string, error) {
	if text = strings.TrimSpace(text); jid.MatchString(text) {
		return text, nil
	}
	return parsePhone(field, text)
}
