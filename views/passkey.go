package views

import (
	"encoding/json"

	"switchboard/static"
)

// passkeyOptions returns WhatsApp's request as browsers take it: members that are null or
// empty are left out, since a browser refuses them.
func passkeyOptions(request []byte) (text, rpID string) {
	var options map[string]any
	if err := json.Unmarshal(request, &options); err != nil {
		return "{}", ""
	}
	prune(options)
	rpID, _ = options["rpId"].(string)
	clean, err := json.Marshal(options) // escapes <, > and &
	if err != nil {
		return "{}", ""
	}
	return string(clean), rpID
}

func prune(m map[string]any) {
	for key, value := range m {
		switch v := value.(type) {
		case nil:
			delete(m, key)
		case string:
			if v == "" {
				delete(m, key)
			}
		case map[string]any:
			prune(v)
		case []any:
			for _, one := range v {
				if inner, ok := one.(map[string]any); ok {
					prune(inner)
				}
			}
		}
	}
}

// passkeySnippet is what a person runs in the console of WhatsApp's own page.
func passkeySnippet(options string) string {
	return static.PasskeySource() +
		"answerPasskey(" + options + ").then(\n  (answer) => prompt(\"Copy this answer:\", answer),\n  (error) => alert(error),\n);\n"
}
