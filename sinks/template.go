package sinks

import (
	"fmt"
	"strings"

	"switchboard/fault"
)

// What a routing key and a subject are when nobody says otherwise.
const (
	DefaultRoutingKey = "{number}.{event}"
	DefaultSubject    = "whatsapp.{number}.{event}"
)

const longestTemplate = 120

// fill puts an event into a routing key or a subject. A chat becomes one word of it.
func fill(template string, m Message) string {
	chat := strings.Map(func(c rune) rune {
		if strings.ContainsRune(".*># \t", c) {
			return '_'
		}
		return c
	}, m.Chat)
	if chat == "" {
		chat = "none"
	}
	return strings.NewReplacer("{number}", m.Number, "{event}", m.Event, "{chat}", chat).Replace(template)
}

// checkTemplate says what is wrong with a routing key or a subject, called what.
func checkTemplate(field, what, template string) error {
	rest := strings.NewReplacer("{number}", "", "{event}", "", "{chat}", "").Replace(template)
	switch {
	case len(template) > longestTemplate || strings.IndexFunc(template, func(c rune) bool { return c <= ' ' || c > '~' }) >= 0:
		return fault.InField(field, fmt.Sprintf("%s has %d characters at most, printable ASCII without spaces.", what, longestTemplate))
	case strings.ContainsAny(rest, "{}"):
		return fault.InField(field, what+" may have {number}, {event} and {chat} in it, and no other braces.")
	}
	return nil
}
