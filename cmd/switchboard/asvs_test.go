package main

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// level2 are the requirements of OWASP ASVS 4.0.3, level 2.
const level2 = `
	1.1.1–7 1.2.1–4 1.4.1 1.4.4–5 1.5.1–4 1.6.1–4 1.7.1–2 1.8.1–2 1.9.1–2 1.10.1 1.11.1–2 1.12.2 1.14.1–6
	2.1.1–12 2.2.1–3 2.3.1–3 2.4.1–6 2.5.1–7 2.6.1–3 2.7.1–6 2.8.1–7 2.9.1–3 2.10.1–4
	3.1.1 3.2.1–4 3.3.1–4 3.4.1–5 3.5.1–3 3.7.1   4.1.1–3 4.1.5 4.2.1–2 4.3.1–3   5.1.1–5 5.2.1–8 5.3.1–10 5.4.1–3 5.5.1–4
	6.1.1–3 6.2.1–6 6.3.1–2 6.4.1–2   7.1.1–4 7.2.1–2 7.3.1 7.3.3–4 7.4.1–3   8.1.1–4 8.2.1–3 8.3.1–8   9.1.1–3 9.2.1–4
	10.2.1–2 10.3.1–3   11.1.1–8   12.1.1–3 12.2.1 12.3.1–6 12.4.1–2 12.5.1–2 12.6.1
	13.1.1 13.1.3–5 13.2.1–3 13.2.5–6 13.3.1–2 13.4.1–2   14.1.1–4 14.2.1–6 14.3.2–3 14.4.1–7 14.5.1–4`

// requirements counts how often a text names each requirement.
func requirements(text string) map[string]int {
	all := map[string]int{}
	for _, m := range regexp.MustCompile(`\b(\d+\.\d+)\.(\d+)(?:–(\d+))?`).FindAllStringSubmatch(text, -1) {
		first, _ := strconv.Atoi(m[2])
		last, err := strconv.Atoi(m[3])
		if err != nil {
			last = first
		}
		for n := first; n <= last; n++ {
			all[fmt.Sprintf("%s.%d", m[1], n)]++
		}
	}
	return all
}

// docs/security.md says of each requirement once whether it is met.
func TestEveryRequirementIsAnswered(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "## OWASP ASVS 4.0.3")
	answered := requirements(table)
	for id := range requirements(level2) {
		if answered[id] != 1 {
			t.Errorf("%s is answered %d times", id, answered[id])
		}
		delete(answered, id)
	}
	for id := range answered {
		t.Errorf("%s is no requirement of level 2", id)
	}
}
