package api

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"switchboard/reference"
)

// Operations returns what the API has, as its document says, in the order of their paths.
var Operations = sync.OnceValue(func() []reference.Operation {
	var document struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(openAPI, &document); err != nil {
		panic(err) // the document is part of the program, and a test reads it
	}
	var all []reference.Operation
	for path, item := range document.Paths {
		for method, raw := range item {
			if method == "parameters" {
				continue
			}
			o := reference.Operation{Method: strings.ToUpper(method), Path: path}
			var described struct {
				Summary string `json:"summary"`
			}
			if err := json.Unmarshal(raw, &described); err != nil {
				panic(err) // the same
			}
			o.Summary = described.Summary
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b reference.Operation) int {
		return strings.Compare(a.Path+a.Method, b.Path+b.Method)
	})
	return all
})
