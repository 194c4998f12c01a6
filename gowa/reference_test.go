package gowa

import (
	"slices"
	"strings"
	"testing"

	"switchboard/gowa/gowatest"
	"switchboard/reference"
)

// The reference describes every operation that there is, and no other, and takes what clients
// of the original send.
func TestReference(t *testing.T) {
	t.Parallel()
	var exist, described []string
	for _, r := range routes() {
		if !strings.HasPrefix(r.path, "/statics/") && r.path != "/" {
			exist = append(exist, r.method+" "+r.path)
		}
	}
	for _, o := range reference.Operations() {
		described = append(described, o.Name())
		theirs := gowatest.Operations()[o.Name()]
		if theirs == nil {
			continue
		}
		has := func(name string) bool {
			return slices.ContainsFunc(o.Parameters, func(p reference.Parameter) bool { return p.Name == name })
		}
		for _, p := range theirs.Parameters {
			if p.In != "header" && !has(p.Name) {
				t.Errorf("%s lacks %s", o.Name(), p.Name)
			}
		}
	}
	slices.Sort(exist)
	slices.Sort(described)
	for _, name := range exist {
		if !slices.Contains(described, name) {
			t.Errorf("%s is not described", name)
		}
	}
	for _, name := range described {
		if !slices.Contains(exist, name) {
			t.Errorf("%s is described and does not exist", name)
		}
	}
}
