package main

import (
	"os"
	"strings"
	"testing"
)

// TestDocumented makes sure that whoever adds a variable or a command also writes it down.
func TestDocumented(t *testing.T) {
	t.Parallel()
	readme, example := text(t, "../../README.md"), text(t, "../../.env.example")
	for _, v := range variables {
		if !strings.Contains(readme, "`"+v.name+"`") {
			t.Errorf("README.md does not know the variable %s", v.name)
		}
		if v.fallback != "" && !strings.Contains(readme, "`"+v.fallback+"`") {
			t.Errorf("README.md does not know the default of %s, %s", v.name, v.fallback)
		}
		if !strings.Contains(example, "#"+v.name+"=") && !strings.Contains(example, "#"+v.name+"_FILE=") {
			t.Errorf(".env.example does not know the variable %s", v.name)
		}
	}
	for _, c := range commands() {
		if c.name != "worker" && !strings.Contains(readme, "`switchboard "+c.name) {
			t.Errorf("README.md does not know the command %s", c.name)
		}
	}
}

func text(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
