package webhooks

import (
	"slices"

	"switchboard/instances"
)

// names are those of all events but connection. and a status.
var names = []string{
	"message", "message.ack", "message.deleted", "message.edited", "message.reaction", "message.revoked", "message.status", "message.undecryptable",
	"call.offer", "chat_presence", "group.joined", "group.participants", "label.association", "label.edit",
	"newsletter.joined", "newsletter.left", "newsletter.message", "newsletter.mute",
}

// Known says whether a pattern stands for any event that there is.
func Known(pattern string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return Covers(pattern, name) }) ||
		slices.ContainsFunc(instances.Statuses[:], func(s instances.Status) bool { return Covers(pattern, "connection."+string(s)) })
}
