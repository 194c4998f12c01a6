package handlers

import (
	"regexp"
	"strings"
	"sync"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/phonenumber"
)

// jid matches the addresses of chats that a person may paste instead of a phone number.
var jid = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9-]{5,40}@(s\.whatsapp\.net|lid|g\.us)$`) })

// parsePhone returns the digits of a phone number in international form, or a fault for
// field that says what is wrong.
func parsePhone(field, text string) (string, error) {
	digits, err := phonenumber.Parse(text, "")
	if err == nil {
		_, err = instances.CheckPhone(digits)
	}
	if err != nil {
		return "", fault.InField(field, fault.MessageOf(err))
	}
	return digits, nil
}

// parseRecipient returns whom a message goes to: a phone number in digits, or a chat's JID.
func parseRecipient(field, text string) (string, error) {
	if text = strings.TrimSpace(text); jid().MatchString(text) {
		return text, nil
	}
	return parsePhone(field, text)
}
