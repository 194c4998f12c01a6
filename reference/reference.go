// Package reference describes a number's own REST API: which operations it has, what they
// do, and what they take. A page of the panel shows it, a document for tools (OpenAPI 3.1) is
// made of it, and a test of package gowa compares it with the program.
package reference

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"sync"
)

// Operation is one operation.
type Operation struct {
	Method     string
	Path       string
	Summary    string
	Parameters []Parameter
}

// Name is the method and the path.
func (o Operation) Name() string { return o.Method + " " + o.Path }

// Group is the first part of the path.
func (o Operation) Group() string {
	group, _, _ := strings.Cut(strings.TrimPrefix(o.Path, "/"), "/")
	return group
}

// Takes reports whether the operation takes a file.
func (o Operation) Takes(k Kind) bool {
	for _, p := range o.Parameters {
		if p.Kind == k {
			return true
		}
	}
	return false
}

// Parameter is one parameter of an operation.
type Parameter struct {
	Name     string
	In       string // "path", "query" or "body"
	Kind     Kind
	Required bool
}

// Kind says what a parameter is.
type Kind string

// The kinds.
const (
	Text   Kind = ""
	Number Kind = "#"
	Bool   Kind = "?"
	List   Kind = "[]"
	Object Kind = "{}"
	File   Kind = "@"
)

// Operations returns all operations. The list is not to be changed.
var Operations = sync.OnceValue(func() []Operation {
	all := make([]Operation, 0, len(table))
	for _, row := range table {
		all = append(all, read(row))
	}
	return all
})

// Find returns the operation of that name; false if there is none.
func Find(name string) (Operation, bool) {
	for _, o := range Operations() {
		if o.Name() == name {
			return o, true
		}
	}
	return Operation{}, false
}

func read(row [3]string) Operation {
	method, path, _ := strings.Cut(row[0], " ")
	o := Operation{Method: method, Path: path, Summary: row[1]}
	for part := range strings.SplitSeq(path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			o.Parameters = append(o.Parameters, Parameter{Name: strings.TrimSuffix(name, "}"), In: "path", Required: true})
		}
	}
	in := "query"
	if method == http.MethodPost {
		in = "body"
	}
	for field := range strings.FieldsSeq(row[2]) {
		p := Parameter{In: in}
		for _, kind := range []Kind{Number, Bool, List, Object, File} {
			if name, ok := strings.CutSuffix(field, string(kind)); ok {
				field, p.Kind = name, kind
			}
		}
		p.Name, p.Required = strings.CutSuffix(field, "*")
		o.Parameters = append(o.Parameters, p)
	}
	return o
}

// OpenAPI is the description as an OpenAPI 3.1 document, for the API at that address.
func OpenAPI(title, server string) ([]byte, error) {
	type object = map[string]any
	envelope := func(results object) object {
		return object{"type": "object", "required": []string{"code", "message"}, "properties": object{
			"code": object{"type": "string"}, "message": object{"type": "string"}, "results": results,
		}}
	}
	answer := func(description, schema string) object {
		return object{"description": description, "content": object{"application/json": object{"schema": object{"$ref": "#/components/schemas/" + schema}}}}
	}
	paths := map[string]object{}
	for _, o := range Operations() {
		operation := object{
			"operationId": strings.NewReplacer(" /", "_", "/", "_", "{", "", "}", "", "-", "_").Replace(strings.ToLower(o.Method) + " " + o.Path),
			"summary":     o.Summary, "tags": []string{o.Group()},
			"responses": object{
				"200": answer("It is done.", "Success"), "400": answer("A parameter is wrong or missing.", "Error"),
				"401": answer("The key is wrong, or the number is not connected.", "Error"), "default": answer("It could not be done.", "Error"),
			},
		}
		parameters, body, required := []object{}, object{}, []string{}
		for _, p := range o.Parameters {
			if p.In == "body" {
				body[p.Name] = p.schema()
				if p.Required {
					required = append(required, p.Name)
				}
				continue
			}
			parameters = append(parameters, object{"name": p.Name, "in": p.In, "required": p.Required, "schema": p.schema()})
		}
		if o.Method == http.MethodPost {
			parameters = append(parameters, object{"name": "Idempotency-Key", "in": "header", "schema": object{"type": "string", "maxLength": 200}})
		}
		if len(parameters) > 0 {
			operation["parameters"] = parameters
		}
		if len(body) > 0 {
			schema := object{"type": "object", "properties": body, "required": required}
			content := object{"application/json": object{"schema": schema}}
			if o.Takes(File) {
				parts := object{}
				maps.Copy(parts, body)
				for _, p := range o.Parameters {
					if p.Kind == File {
						parts[p.Name] = object{"type": "string", "format": "binary"}
					}
				}
				content["multipart/form-data"] = object{"schema": object{"type": "object", "properties": parts, "required": required}}
			}
			operation["requestBody"] = object{"required": len(required) > 0, "content": content}
		}
		if paths[o.Path] == nil {
			paths[o.Path] = object{}
		}
		paths[o.Path][strings.ToLower(o.Method)] = operation
	}
	return json.Marshal(object{
		"openapi": "3.1.0",
		"info":    object{"title": title, "version": "9", "license": object{"name": "GPL-3.0-or-later", "identifier": "GPL-3.0-or-later"}},
		"servers": []object{{"url": server}},
		"security": []object{
			{"basic": []string{}}, {"bearer": []string{}},
		},
		"paths": paths,
		"components": object{
			"securitySchemes": object{
				"basic": object{"type": "http", "scheme": "basic"}, "bearer": object{"type": "http", "scheme": "bearer"},
			},
			"schemas": object{"Success": envelope(object{"description": "What the operation came to; absent where there is nothing to tell."}), "Error": envelope(object{})},
		},
	})
}

func (p Parameter) schema() map[string]any {
	switch p.Kind {
	case Number:
		return map[string]any{"type": "integer"}
	case Bool:
		return map[string]any{"type": "boolean"}
	case List:
		return map[string]any{"type": "array", "items": map[string]any{"type": "string"}}
	case Object:
		return map[string]any{"type": "object"}
	case File:
		return map[string]any{"type": "string", "contentEncoding": "base64", "description": "Base64, or a data URI of it."}
	}
	return map[string]any{"type": "string"}
}
