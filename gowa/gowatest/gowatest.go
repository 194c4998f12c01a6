// Package gowatest checks answers of a number's REST API against what clients of
// go-whatsapp-web-multidevice expect: the operations, parameters and forms of answers of its
// version 9, with the corrections that its behaviour asks for where its own specification
// says otherwise. It is for tests.
package gowatest

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"mime"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
)

//go:embed specification.json
var raw []byte

// Operation is one operation of the specification.
type Operation struct {
	ID         string             `json:"id"`
	Parameters []Parameter        `json:"parameters"`
	Body       map[string]*schema `json:"body"`     // by media type
	Response   map[string]*schema `json:"response"` // of a success, by media type
}

// Parameter is one in the query or the path.
type Parameter struct {
	Name     string `json:"name"`
	In       string `json:"in"`
	Required bool   `json:"required"`
}

// schema is the part of JSON Schema that the specification uses.
type schema struct {
	Ref        string             `json:"$ref"`
	Type       string             `json:"type"`
	Format     string             `json:"format"`
	Nullable   bool               `json:"nullable"`
	Enum       []any              `json:"enum"`
	Required   []string           `json:"required"`
	Properties map[string]*schema `json:"properties"`
	Items      *schema            `json:"items"`
	Additional any                `json:"additionalProperties"` // nil, a bool, or a schema
}

type specification struct {
	Operations map[string]*Operation `json:"operations"`
	Schemas    map[string]*schema    `json:"schemas"`
}

var load = sync.OnceValue(func() *specification {
	s := &specification{}
	if err := json.Unmarshal(raw, s); err != nil {
		panic(err) // the file is part of the program
	}
	return s
})

// Operations returns the operations by method and path, such as "GET /group/info".
func Operations() map[string]*Operation { return load().Operations }

// Names returns the names of the operations in order.
func Names() []string {
	names := make([]string, 0, len(load().Operations))
	for name := range load().Operations {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Check says what is wrong with a successful answer to an operation, nil if nothing is.
func Check(operation, contentType string, body []byte) error {
	op := load().Operations[operation]
	if op == nil {
		return fmt.Errorf("%s is no operation of the specification", operation)
	}
	media, _, _ := mime.ParseMediaType(contentType)
	s, ok := op.Response[media]
	if !ok {
		return fmt.Errorf("%s answers with %s", operation, contentType)
	}
	if media != "application/json" {
		return nil
	}
	return check(operation, s, body)
}

// CheckError says what is wrong with an answer that is an error, nil if nothing is.
func CheckError(contentType string, body []byte) error {
	if media, _, _ := mime.ParseMediaType(contentType); media != "application/json" {
		return fmt.Errorf("an error comes as %s", contentType)
	}
	if err := check("error", load().Schemas["ErrorBadRequest"], body); err != nil {
		return err
	}
	var e struct{ Code, Message string }
	if err := json.Unmarshal(body, &e); err != nil || e.Code == "" || e.Code == "SUCCESS" || e.Message == "" {
		return fmt.Errorf("an error says %s", body)
	}
	return nil
}

func check(what string, s *schema, body []byte) error {
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return fmt.Errorf("%s: the answer is no JSON: %w", what, err)
	}
	return s.check(what, value)
}

func (s *schema) check(at string, value any) error {
	if s.Ref != "" {
		target := load().Schemas[s.Ref]
		if target == nil {
			return fmt.Errorf("%s: there is no schema %s", at, s.Ref)
		}
		return target.check(at, value)
	}
	if value == nil {
		if s.Nullable {
			return nil
		}
		return fmt.Errorf("%s is null", at)
	}
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, value) {
		return fmt.Errorf("%s is %v, none of %v", at, value, s.Enum)
	}
	ok := true
	switch v := value.(type) {
	case map[string]any:
		if s.Type == "object" {
			return s.checkObject(at, v)
		}
		ok = s.Type == ""
	case []any:
		if s.Type == "array" && s.Items != nil {
			for i, one := range v {
				if err := s.Items.check(fmt.Sprintf("%s[%d]", at, i), one); err != nil {
					return err
				}
			}
		}
		ok = s.Type == "array" || s.Type == ""
	case string:
		if _, err := time.Parse(time.RFC3339, v); s.Format == "date-time" && err != nil {
			return fmt.Errorf("%s is %q, no time", at, v)
		}
		ok = s.Type == "string" || s.Type == ""
	case float64:
		ok = s.Type == "number" || s.Type == "" || s.Type == "integer" && v == float64(int64(v))
	case bool:
		ok = s.Type == "boolean" || s.Type == ""
	}
	if !ok {
		return fmt.Errorf("%s is %v, not of type %s", at, value, s.Type)
	}
	return nil
}

func (s *schema) checkObject(at string, value map[string]any) error {
	for _, name := range s.Required {
		if _, ok := value[name]; !ok {
			return fmt.Errorf("%s lacks %s", at, name)
		}
	}
	for name, one := range value {
		p := s.Properties[name]
		if p == nil {
			if s.Additional == false {
				return fmt.Errorf("%s has the unknown member %s", at, name)
			}
			continue
		}
		if err := p.check(strings.TrimPrefix(at+"."+name, "."), one); err != nil {
			return err
		}
	}
	return nil
}
