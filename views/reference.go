package views

import (
	"net/url"
	"slices"
	"strings"

	"switchboard/instances"
	"switchboard/reference"
)

// Reference is the page with everything that programs can ask of a number, and of the panel.
type Reference struct {
	Instance   instances.Instance
	Operations []reference.Operation // of the number's own API
	Management []reference.Operation // of the panel's

	Chosen *reference.Operation // to be tried, nil if none is
	Try    Form
	Answer *Answer // of what was tried, nil before
}

// Answer is what a number answered.
type Answer struct {
	Request string // method and path
	Status  string // with its words
	Code    int
	Took    string
	Body    string
}

// byGroup are operations in groups, in the order in which the groups first come.
func byGroup(all []reference.Operation) (groups [][]reference.Operation) {
	for _, o := range all {
		n := slices.IndexFunc(groups, func(g []reference.Operation) bool { return g[0].Group() == o.Group() })
		if n < 0 {
			groups = append(groups, nil)
			n = len(groups) - 1
		}
		groups[n] = append(groups[n], o)
	}
	return groups
}

func (r Reference) path() string { return "/instances/" + string(r.Instance.ID) + "/api" }

func (r Reference) choose(o reference.Operation) string {
	return r.path() + "?" + url.Values{"operation": {o.Name()}}.Encode() + "#try"
}

// fields are the parameters that a form can send.
func (r Reference) fields() []reference.Parameter {
	return slices.DeleteFunc(slices.Clone(r.Chosen.Parameters), func(p reference.Parameter) bool { return p.Kind == reference.File })
}

// TryField is the name of a parameter in the form, which has fields of its own.
func TryField(p reference.Parameter) string { return "p." + p.Name }

func parameterWords(p reference.Parameter) string {
	words := map[reference.Kind]string{
		reference.Text: "text", reference.Number: "number", reference.Bool: "true or false", reference.List: "list", reference.Object: "object", reference.File: "file",
	}[p.Kind]
	if p.Required {
		words += ", required"
	}
	return words
}

func parameterHint(p reference.Parameter) string {
	switch {
	case p.Kind == reference.List:
		return "One on each line."
	case p.Kind == reference.Object:
		return "As JSON."
	case strings.HasSuffix(p.Name, "_url"):
		return "Where the file is fetched; a form cannot send one here."
	}
	return ""
}
