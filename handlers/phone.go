package handlers

import (
	"net/http"
	"regexp"
	"strings"
	"sync"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/phonenumber"
)

// jid matches the addresses of chats that a person may paste instead of a phone number.
var jid = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9-]{5,40}@(s\.whatsapp\.net|lid|g\.us)$`) })

// region is the country whose phone numbers need no country code where a person writes them for
// a number, "" if none is set. Settings that cannot be read are no reason to refuse a number.
func (s *server) region(r *http.Request, id instances.ID) string {
	if s.Settings == nil {
		return ""
	}
	set, _ := s.Settings.Get(r.Context(), id)
	return set.Region
}

// parsePhone returns the digits of a phone number in international form, or a fault for
// field that says what is wrong. Numbers of region need no country code.
func parsePhone(field, text, region string) (string, error) {
	digits, err := phonenumber.Parse(text, region)
	if err == nil {
		_, err = instances.CheckPhone(digits)
	}
	if err != nil {
		return "", fault.InField(field, fault.MessageOf(err))
	}
	return digits, nil
}

// parseRecipient returns whom a message goes to: a phone number in digits, or a chat's JID.
func parseRecipient(field, text, region string) (string, error) {
	if text = strings.TrimSpace(text); jid().MatchString(text) {
		return text, nil
	}
	return parsePhone(field, text, region)
}
