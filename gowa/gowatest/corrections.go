package gowatest

import "github.com/getkin/kin-openapi/openapi3"

// corrections are the results that the original gives where its specification says otherwise,
// by operation; nil stands for an answer without results.
var corrections = map[string]*openapi3.Schema{
	// What the specification calls generic.
	"GET /app/logout":            object("device_id", text),
	"GET /app/reconnect":         object("device_id", text),
	"POST /app/passkey/response": object("device_id", text),
	"POST /app/passkey/confirm":  object("device_id", text),
	"POST /group/join-with-link": object("group_id", text),

	"POST /group/participant-requests/approve": list(closed(object("participant", text, "status", text, "message", text))),
	"POST /group/participant-requests/reject":  list(closed(object("participant", text, "status", text, "message", text))),

	// One object about one person, in the specification.
	"GET /user/info": maybe(object("data", list(object("name", text, "verified_name", text, "status", text, "picture_id", text,
		"devices", list(object("User", text, "Agent", whole, "Device", text, "Server", text, "AD", flag)))),
		"resolved_phone", text, "resolved_lid", text), "resolved_phone", "resolved_lid"),

	// Nothing comes back.
	"DELETE /devices/{device_id}":         nil,
	"POST /devices/{device_id}/logout":    nil,
	"POST /devices/{device_id}/reconnect": nil,
	"POST /message/{message_id}/delete":   nil,
	"POST /message/{message_id}/star":     nil,
	"POST /message/{message_id}/unstar":   nil,
	"POST /user/avatar":                   nil,
	"POST /user/pushname":                 nil,
	"POST /call/reject":                   nil,
	"POST /newsletter/unfollow":           nil,
	"POST /group/leave":                   nil,
	"POST /group/name":                    nil,
	"POST /group/locked":                  nil,
	"POST /group/announce":                nil,
	"POST /group/topic":                   nil,
}

// optional are members of results that are there only where there is something to say.
var optional = map[string][]string{
	"GET /app/passkey":         {"challenge", "code"},
	"POST /devices":            {"phone_number", "webhook_url", "webhook_secret", "webhook_events", "webhook_insecure_skip_verify"},
	"GET /devices/{device_id}": {"phone_number", "display_name", "jid"},
	"GET /group/participants":  {"display_name", "lid"},
}

// dropped is an operation of version 8 that version 9 no longer has and n8n's node still calls.
const dropped = "POST /chat/{chat_jid}/label"

// droppedBody and droppedResults are what it took and answered.
var (
	droppedBody    = maybe(object("label_id", text, "label_name", text, "labeled", flag), "label_name")
	droppedResults = object("status", text, "message", text, "chat_jid", text, "label_id", text, "labeled", flag)
)

var text, whole, flag = openapi3.NewStringSchema(), openapi3.NewIntegerSchema(), openapi3.NewBoolSchema()

// object has these members, given by name and schema, and needs all of them.
func object(members ...any) *openapi3.Schema {
	s := openapi3.NewObjectSchema()
	name := ""
	for _, m := range members {
		switch m := m.(type) {
		case string:
			name = m
		case *openapi3.Schema:
			s.WithProperty(name, m)
			s.Required = append(s.Required, name)
		}
	}
	return s
}

// maybe is an object in which some members may be missing.
func maybe(s *openapi3.Schema, names ...string) *openapi3.Schema {
	s.Required = without(s.Required, names)
	return s
}

// closed is an object that has no members beside those.
func closed(s *openapi3.Schema) *openapi3.Schema { return s.WithoutAdditionalProperties() }

func list(of *openapi3.Schema) *openapi3.Schema { return openapi3.NewArraySchema().WithItems(of) }
