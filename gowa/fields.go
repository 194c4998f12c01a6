package gowa

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchboard/fault"
	"switchboard/phonenumber"
)

// bad notes that a parameter is wrong; message is what is to be read behind its name.
func (r *request) bad(name, message string) {
	if !slices.ContainsFunc(r.wrong, func(f *fault.Error) bool { return f.Field == name }) {
		r.wrong = append(r.wrong, fault.InField(name, message))
	}
}

// err returns what is wrong with the parameters that were asked for, nil if nothing is.
func (r *request) err() error {
	if len(r.wrong) == 0 {
		return nil
	}
	slices.SortFunc(r.wrong, func(a, b *fault.Error) int { return strings.Compare(a.Field, b.Field) })
	texts := make([]string, len(r.wrong))
	for i, f := range r.wrong {
		texts[i] = f.Field + ": " + strings.TrimSuffix(f.Message, ".")
	}
	text := strings.Join(texts, "; ")
	if !strings.HasSuffix(text, "?") {
		text += "."
	}
	return fault.InField(r.wrong[0].Field, text)
}

// text returns a parameter as text, "" if it is missing.
func (r *request) text(name string) string {
	switch v := r.values[name].(type) {
	case nil:
	case string:
		return v
	case json.Number:
		return v.String()
	default:
		r.bad(name, "has to be text.")
	}
	return ""
}

// required returns a parameter that must not be blank.
func (r *request) required(name string) string {
	text := r.text(name)
	if strings.TrimSpace(text) == "" {
		r.bad(name, "cannot be blank.")
	}
	return text
}

// oneOf returns a parameter that must be one of the choices.
func (r *request) oneOf(name string, choices ...string) string {
	text := strings.ToLower(strings.TrimSpace(r.required(name)))
	if !slices.Contains(choices, text) {
		r.bad(name, "has to be one of "+strings.Join(choices, ", ")+".")
	}
	return text
}

// flag returns a parameter that is true or false, and fallback where it is missing or empty.
func (r *request) flag(name string, fallback bool) bool {
	if b := r.maybe(name); b != nil {
		return *b
	}
	return fallback
}

// maybe returns a parameter that is true or false, nil where it is missing or empty.
func (r *request) maybe(name string) *bool {
	var text string
	switch v := r.values[name].(type) {
	case bool:
		return &v
	case nil, string, json.Number:
		text = strings.ToLower(strings.TrimSpace(r.text(name)))
	}
	var b bool
	switch text {
	case "true", "1", "on", "yes":
		b = true
	case "false", "0", "off", "no":
	case "":
		if r.values[name] != nil && r.values[name] != text {
			r.bad(name, "has to be true or false.")
		}
		return nil
	default:
		r.bad(name, "has to be true or false.")
		return nil
	}
	return &b
}

// requiredFlag returns a parameter that has to be given, true or false.
func (r *request) requiredFlag(name string) bool {
	b := r.maybe(name)
	if b == nil {
		r.bad(name, "cannot be blank.")
		return false
	}
	return *b
}

// integer returns a whole number from low to high, and fallback where it is missing or empty.
func (r *request) integer(name string, fallback, low, high int) int {
	text := strings.TrimSpace(r.text(name))
	if text == "" {
		return fallback
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		r.bad(name, "has to be a whole number.")
		return fallback
	}
	if n < low || n > high {
		r.bad(name, fmt.Sprintf("has to be from %d to %d.", low, high))
		return fallback
	}
	return n
}

// decimal returns a required number from -limit to limit.
func (r *request) decimal(name string, limit float64) float64 {
	text := strings.TrimSpace(r.required(name))
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(n) || math.Abs(n) > limit {
		r.bad(name, fmt.Sprintf("has to be a number from %v to %v.", -limit, limit))
	}
	return n
}

// moment returns a time in the form of RFC 3339, zero where it is missing or empty.
func (r *request) moment(name string) time.Time {
	text := strings.TrimSpace(r.text(name))
	if text == "" {
		return time.Time{}
	}
	// A "+" that nobody escaped arrives as a space.
	at, err := time.Parse(time.RFC3339, strings.ReplaceAll(text, " ", "+"))
	if err != nil {
		r.bad(name, "has to be a time such as 2026-01-31T12:00:00Z.")
	}
	return at
}

// list returns a list of texts, nil where it is missing. One text alone is a list of one.
func (r *request) list(name string) []string {
	switch v := r.values[name].(type) {
	case nil:
		return nil
	case []any:
		texts := make([]string, 0, len(v))
		for _, one := range v {
			switch one := one.(type) {
			case string:
				texts = append(texts, one)
			case json.Number:
				texts = append(texts, one.String())
			default:
				r.bad(name, "has to be a list of texts.")
				return nil
			}
		}
		return texts
	case string:
		if strings.TrimSpace(v) == "" {
			return nil
		}
		if strings.HasPrefix(strings.TrimSpace(v), "[") { // a form with JSON in it
			var texts []string
			if json.Unmarshal([]byte(v), &texts) == nil {
				return texts
			}
		}
		return []string{v}
	case json.Number:
		return []string{v.String()}
	}
	r.bad(name, "has to be a list of texts.")
	return nil
}

// address returns the JID that a required parameter means: a JID as it stands, a phone
// number, or a group's number.
func (r *request) address(name string) string {
	text := strings.TrimSpace(r.required(name))
	if text == "" {
		return ""
	}
	jid, err := r.jid(text)
	if err != nil {
		r.bad(name, fault.MessageOf(err))
	}
	return jid
}

// maxEcho is how much of what was sent an error repeats, in characters.
const maxEcho = 60

// addresses returns the JIDs that a parameter means.
func (r *request) addresses(name string) []string {
	texts := r.list(name)
	jids := make([]string, 0, len(texts))
	for _, text := range texts {
		jid, err := r.jid(strings.TrimSpace(text))
		if err != nil {
			r.bad(name, fmt.Sprintf("%q: %s", shorten(text, maxEcho), fault.MessageOf(err)))
			return nil
		}
		jids = append(jids, jid)
	}
	return jids
}

const (
	userServer  = "@s.whatsapp.net"
	groupServer = "@g.us"
)

// jid reads what people write for an address. Up to 15 digits are a phone number, more are
// a group; whoever writes the whole JID gets what he writes.
func (r *request) jid(text string) (string, error) {
	if strings.Contains(text, "@") {
		return text, nil
	}
	digits := phonenumber.Strip(text)
	if len(digits) > 15 {
		if strings.Trim(text, "0123456789-") != "" {
			return "", fault.New(fault.Invalid, "this is neither a phone number nor an address of WhatsApp.")
		}
		return text + groupServer, nil
	}
	phone, err := phonenumber.Parse(text, r.region)
	if err != nil {
		return "", err
	}
	return phone + userServer, nil
}

// duration returns how long a message is to last in seconds, nil where nothing is said.
func (r *request) duration(name string) *uint32 {
	seconds := r.integer(name, -1, 0, 7776000)
	switch seconds {
	case -1:
		return nil
	case 0, 86400, 604800, 7776000:
		d := uint32(seconds)
		return &d
	}
	r.bad(name, "has to be 0, 86400, 604800 or 7776000 seconds.")
	return nil
}

func megabytes(n int64) string { return fmt.Sprintf("%d MB", n/1_000_000) }
