package sinks

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"switchboard/egress"
	"switchboard/fault"
)

const longestURL = 2000

// schemes are how the addresses of brokers begin.
var schemes = map[Kind][2]string{
	AMQP: {"amqps", "amqp"},
	NATS: {"tls", "nats"},
}

// Check returns a target with everything in place that can be left out, or what is wrong
// with it, in the field that it is in.
func (t Target) Check() (Target, error) {
	if t.Kind == HTTP {
		u, err := egress.Parse(t.URL)
		if err != nil || len(t.URL) > longestURL {
			return t, fault.InField("url", "The address of a webhook begins with https:// or http:// and has 2000 characters at most.")
		}
		t.URL, t.Exchange, t.RoutingKey, t.Subject = u.String(), "", "", ""
		return t, nil
	}
	begins, known := schemes[t.Kind]
	if !known {
		return t, fault.InField("kind", `The kind is "webhook", "amqp" or "nats".`)
	}
	u, err := url.Parse(strings.TrimSpace(t.URL))
	if err != nil || !slices.Contains(begins[:], u.Scheme) || u.Hostname() == "" || len(t.URL) > longestURL {
		return t, fault.InField("url", fmt.Sprintf("The address begins with %s:// or %s://, then comes the host, and before that perhaps user:password@. "+
			"A sign like @ or / in a password is written as %%40 or %%2F.", begins[0], begins[1]))
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return t, fault.InField("url", "The address has nothing after a question mark or a # here.")
	}
	t.URL = u.String()
	if t.Kind == NATS {
		t.Exchange, t.RoutingKey = "", ""
		return t.checkSubject()
	}
	t.Subject = ""
	return t.checkExchange()
}

func (t Target) checkSubject() (Target, error) {
	if t.Subject = strings.TrimSpace(t.Subject); t.Subject == "" {
		t.Subject = DefaultSubject
	}
	if strings.ContainsAny(t.Subject, "*>") || strings.HasPrefix(t.Subject, "$") || strings.Contains("."+t.Subject+".", "..") {
		return t, fault.InField("subject", "A subject is words with dots between, for example "+DefaultSubject+"; none of them is * or >, and the first does not begin with $.")
	}
	return t, checkTemplate("subject", "A subject", t.Subject)
}

// longestName is the longest name that AMQP knows.
const longestName = 255

func (t Target) checkExchange() (Target, error) {
	t.Exchange, t.RoutingKey = strings.TrimSpace(t.Exchange), strings.TrimSpace(t.RoutingKey)
	switch {
	case len(t.Exchange) > longestName || strings.IndexFunc(t.Exchange, func(c rune) bool { return c < ' ' || c > '~' }) >= 0:
		return t, fault.InField("exchange", "The name of an exchange has 255 printable ASCII characters at most.")
	case t.RoutingKey == "" && t.Exchange == "":
		return t, fault.InField("routing_key", "Give an exchange, or as routing key the name of the queue that events go to.")
	case t.RoutingKey == "":
		t.RoutingKey = DefaultRoutingKey
	}
	return t, checkTemplate("routing_key", "A routing key", t.RoutingKey)
}
