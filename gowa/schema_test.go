package gowa_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// published is the specification of go-whatsapp-web-multidevice v9 (MIT licence), as it was
// published, with the corrections that its behaviour makes to it.
var published = sync.OnceValues(func() (*openapi3.T, error) {
	text, err := os.ReadFile("testdata/openapi.yaml")
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, err
	}
	return doc, correct(doc)
})

// optional are members of results that need not be there, by operation.
var optional = map[string][]string{
	"appPasskeyStatus": {"challenge", "code"},
	// The specification does not know these, and where it does they are there only sometimes.
	"getGroupParticipants": {"display_name", "lid"},
}

// silent are operations that answer without results, whatever the specification says.
var silent = []string{
	"POST /message/{message_id}/delete", "POST /message/{message_id}/star", "POST /message/{message_id}/unstar",
	"POST /user/avatar", "POST /user/pushname", "POST /call/reject", "POST /newsletter/unfollow",
	"POST /group/leave", "POST /group/name", "POST /group/locked", "POST /group/announce", "POST /group/topic",
}

// correct makes the specification say what the original does: an envelope of code, message
// and results, no status in it, and in results whatever is written down. What it leaves open
// becomes binding so.
func correct(doc *openapi3.T) error {
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			for status, ref := range op.Responses.Map() {
				media := ref.Value.Content.Get("application/json")
				if media == nil || media.Schema == nil {
					continue
				}
				s := clone(media.Schema.Value)
				media.Schema = openapi3.NewSchemaRef("", s)
				delete(s.Properties, "status")
				s.Required = []string{"code", "message"}
				no := false
				s.AdditionalProperties = openapi3.AdditionalProperties{Has: &no}
				results := s.Properties["results"]
				switch {
				case status == "200" && slices.Contains(silent, method+" "+path):
					delete(s.Properties, "results")
				case status != "200" || results == nil:
					s.Properties["results"] = openapi3.NewSchemaRef("", openapi3.NewObjectSchema().WithNullable())
				case results.Value.Type.Is("string"): // what the original calls "generic": nothing, or the device
					s.Properties["results"] = openapi3.NewSchemaRef("", openapi3.NewObjectSchema())
				default:
					r := clone(results.Value)
					for name := range r.Properties {
						if !slices.Contains(optional[op.OperationID], name) {
							r.Required = append(r.Required, name)
						}
					}
					s.Properties["results"] = openapi3.NewSchemaRef("", r)
					s.Required = append(s.Required, "results")
				}
			}
		}
	}
	return nil
}

// clone copies a schema so far that one operation's can be changed.
func clone(s *openapi3.Schema) *openapi3.Schema {
	c := *s
	c.Properties = openapi3.Schemas{}
	for name, p := range s.Properties {
		c.Properties[name] = p
	}
	c.Required = slices.Clone(s.Required)
	return &c
}

// conforms checks an answer to the operation at path, as the specification writes it.
func conforms(t testing.TB, method, path string, status int, body []byte) {
	t.Helper()
	doc, err := published()
	if err != nil {
		t.Fatal(err)
	}
	item := doc.Paths.Value(path)
	if item == nil || item.GetOperation(method) == nil {
		t.Fatalf("the specification has no %s %s", method, path)
	}
	responses := item.GetOperation(method).Responses
	ref := responses.Status(status)
	if ref == nil { // errors that the specification does not list have the form of those that it does
		ref = responses.Status(http.StatusInternalServerError)
	}
	media := ref.Value.Content.Get("application/json")
	var value any
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&value); err != nil {
		t.Fatalf("%s %s: %d %q is no JSON", method, path, status, body)
	}
	if err := media.Schema.Value.VisitJSON(value); err != nil {
		t.Errorf("%s %s: %d %s\nis not what the specification says: %s", method, path, status, body, strings.SplitN(err.Error(), "\n", 2)[0])
	}
}

// operations lists those of the specification whose paths begin with one of the prefixes,
// "GET /app/login".
func operations(t testing.TB, prefixes ...string) []string {
	t.Helper()
	doc, err := published()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for path, item := range doc.Paths.Map() {
		if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(path, p) }) {
			for method := range item.Operations() {
				all = append(all, method+" "+path)
			}
		}
	}
	slices.Sort(all)
	return all
}
