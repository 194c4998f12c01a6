package views

import (
	"strings"

	"switchboard/settings"
	"switchboard/sinks"
	"switchboard/webhooks"
)

// brokerHint says how the address of a broker is written.
func (f Form) brokerHint() string {
	hint := "With user and password in it, where signs like @ and / are written as %40 and %2F. The password is kept encrypted and not shown again."
	if strings.Contains(f.Values["url"], "•••@") {
		hint += " Leave ••• there to keep it."
	}
	return hint
}

// kind is the kind of endpoint that a form is about.
func (f Form) kind() sinks.Kind {
	switch kind := sinks.Kind(f.Values["kind"]); kind {
	case sinks.AMQP, sinks.NATS:
		return kind
	}
	return sinks.HTTP
}

func sinkWord(k sinks.Kind) string {
	switch k {
	case sinks.AMQP:
		return "RabbitMQ (AMQP)"
	case sinks.NATS:
		return "NATS JetStream"
	}
	return "Webhook"
}

func sinkHint(k sinks.Kind) string {
	switch k {
	case sinks.AMQP:
		return "RabbitMQ is a message broker of your own: it keeps events in queues until your programs fetch them. Choose this if you run one, or another broker that speaks AMQP 0-9-1."
	case sinks.NATS:
		return "NATS JetStream is a message broker of your own: it keeps events in streams that your programs read. Choose this if you run one."
	}
	return "An address of your own program, which gets each event as a request."
}

// place says where at a broker events go, "" for a webhook.
func place(kind sinks.Kind, exchange, key, subject string) string {
	switch {
	case kind == sinks.NATS:
		return "subject " + subject
	case kind == sinks.AMQP && exchange == "":
		return "queue " + key
	case kind == sinks.AMQP:
		return "exchange " + exchange + " · routing key " + key
	}
	return ""
}

func placeOf(w settings.Webhook) string {
	return place(webhooks.KindOf(w), w.Exchange, w.RoutingKey, w.Subject)
}

// sent says where at a broker a delivery goes.
func sent(r webhooks.Request) string {
	switch {
	case r.Subject != "":
		return place(sinks.NATS, "", "", r.Subject)
	case r.RoutingKey != "":
		return place(sinks.AMQP, r.Exchange, r.RoutingKey, "")
	}
	return ""
}
