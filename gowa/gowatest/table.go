package gowatest

import (
	"fmt"
	"os"
	"regexp"
)

// The states of an operation in docs/rest-api.md.
const (
	Works     = "works"
	AtGateway = "at the gateway"
	NotBuilt  = "not built"
)

var row = regexp.MustCompile("(?m)^\\| `([A-Z]+ /[^`]*)` \\| ([a-z ]+) \\|")

// Table reads the states of all operations from docs/rest-api.md. root is the path to the
// repository.
func Table(root string) (map[string]string, error) {
	text, err := os.ReadFile(root + "/docs/rest-api.md")
	if err != nil {
		return nil, err
	}
	states := map[string]string{}
	for _, found := range row.FindAllSubmatch(text, -1) {
		name := string(found[1])
		if states[name] != "" {
			return nil, fmt.Errorf("docs/rest-api.md lists %s twice", name)
		}
		states[name] = string(found[2])
	}
	return states, nil
}
