package worker_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"switchboard/webhooks"
)

// Whoever subscribes to an event by its name is refused names that there are not: so each that
// a number tells has to be known.
func TestEventsHaveKnownNames(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../whatsapp/*.go")
	must(t, err)
	is := regexp.MustCompile(`^(message|call|group|label|newsletter)\.[a-z_]+$|^chat_presence$`)
	found := 0
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		must(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING {
				if name, _ := strconv.Unquote(text.Value); is.MatchString(name) {
					found++
					if !webhooks.Known(name) {
						t.Errorf("%s has an event %s that nobody can subscribe to", path, name)
					}
				}
			}
			return true
		})
	}
	if found < 15 {
		t.Errorf("only %d names were found", found)
	}
}
