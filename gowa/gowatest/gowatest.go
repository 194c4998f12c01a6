// Package gowatest holds what clients of go-whatsapp-web-multidevice ("gowa") expect of an
// answer: the specification that it publishes, and the list of corrections that its behaviour
// makes to it. It is for tests.
package gowatest

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
)

// The specification of version 9.0.0, as its author publishes it under the MIT licence at
// github.com/aldinokemal/go-whatsapp-web-multidevice (docs/openapi.yaml).
//
//go:embed openapi.yaml
var published []byte

// Operation is one operation of the specification.
type Operation struct {
	Parameters []Parameter
	Fields     []string // of a body, in alphabetical order

	answers openapi3.Content
}

// Parameter is one in the query, the path or the header.
type Parameter struct{ Name, In string }

var load = sync.OnceValue(func() map[string]*Operation {
	doc, err := openapi3.NewLoader().LoadFromData(published)
	if err != nil {
		panic(err) // the file is part of the program
	}
	all := map[string]*Operation{dropped: {
		Parameters: []Parameter{{"chat_jid", openapi3.ParameterInPath}},
		Fields:     names(droppedBody.Properties),
		answers:    openapi3.NewContentWithJSONSchema(envelope(droppedResults)),
	}}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			name := method + " " + path
			all[name] = &Operation{answers: answers(name, op)}
			for _, p := range append(slices.Clone(item.Parameters), op.Parameters...) {
				all[name].Parameters = append(all[name].Parameters, Parameter{p.Value.Name, p.Value.In})
			}
			if op.RequestBody != nil {
				for _, media := range op.RequestBody.Value.Content {
					all[name].Fields = append(all[name].Fields, names(media.Schema.Value.Properties)...)
				}
			}
			slices.Sort(all[name].Fields)
			all[name].Fields = slices.Compact(all[name].Fields)
		}
	}
	return all
})

// answers are the schemas of what an operation answers when it succeeds, by media type. What
// the specification leaves open is binding here: the members of results that it lists have to
// be there, and the envelope holds nothing but code, message and results.
func answers(name string, op *openapi3.Operation) openapi3.Content {
	found := op.Responses.Status(http.StatusOK)
	if found == nil {
		return nil
	}
	content := openapi3.Content{}
	for media, c := range found.Value.Content {
		if media != "application/json" || c.Schema == nil || c.Schema.Value.Properties["code"] == nil {
			content[media] = c // text, or what is no envelope
			continue
		}
		results, corrected := corrections[name]
		if ref := c.Schema.Value.Properties["results"]; ref != nil && !corrected {
			all := *ref.Value // others may share it
			results = &all
			results.Required = without(names(results.Properties), optional[name])
		}
		content[media] = openapi3.NewMediaType().WithSchema(envelope(results))
	}
	return content
}

// envelope is what every answer comes in.
func envelope(results *openapi3.Schema) *openapi3.Schema {
	if results == nil {
		return closed(object("code", text, "message", text))
	}
	return closed(object("code", text, "message", text, "results", results))
}

func names(properties openapi3.Schemas) (all []string) {
	for name := range properties {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func without(all, some []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(name string) bool { return slices.Contains(some, name) })
}

// Operations returns the operations by method and path, such as "GET /group/info".
func Operations() map[string]*Operation { return load() }

// Names returns the names of the operations in order.
func Names() []string {
	var all []string
	for name := range load() {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// Check says what is wrong with a successful answer to an operation, nil if nothing is.
func Check(operation, contentType string, body []byte) error {
	op := load()[operation]
	if op == nil {
		return fmt.Errorf("%s is no operation of the specification", operation)
	}
	media, _, _ := mime.ParseMediaType(contentType)
	answer := op.answers[media]
	if answer == nil {
		return fmt.Errorf("%s answers with %s", operation, contentType)
	}
	if media != "application/json" {
		return nil
	}
	return check(operation, answer.Schema.Value, body)
}

// refusal is what every error looks like.
var refusal = maybe(closed(object("code", text, "message", text, "results", openapi3.NewObjectSchema().WithNullable())), "results")

// CheckError says what is wrong with an answer that is an error, nil if nothing is.
func CheckError(contentType string, body []byte) error {
	if media, _, _ := mime.ParseMediaType(contentType); media != "application/json" {
		return fmt.Errorf("an error comes as %s", contentType)
	}
	if err := check("error", refusal, body); err != nil {
		return err
	}
	var e struct{ Code, Message string }
	if err := json.Unmarshal(body, &e); err != nil || e.Code == "" || e.Code == "SUCCESS" || e.Message == "" {
		return fmt.Errorf("an error says %s", body)
	}
	return nil
}

func check(what string, s *openapi3.Schema, body []byte) error {
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return fmt.Errorf("%s: the answer is no JSON: %w", what, err)
	}
	if err := s.VisitJSON(value); err != nil {
		reason, _, _ := strings.Cut(err.Error(), "\nSchema:")
		return fmt.Errorf("%s: %s", what, reason)
	}
	return nil
}
