package views

import (
	"strings"
	"time"

	"switchboard/instances"
	"switchboard/settings"
)

// Access is the page about how programs use one number.
type Access struct {
	Instance instances.Instance
	Address  string // of the number's own API
	Gateway  string // of the API of all numbers, "" if there is none
	Keys     []settings.Key
	Key      Form
	Secret   string // of the key just made, shown this once
}

// Example is one way to send a message.
type Example struct{ ID, Title, Code string }

// keyInExamples stands where a key belongs while there is none to show.
const keyInExamples = "YOUR-KEY"

// Examples send a text from the number to itself, which every number can.
func (a Access) Examples() []Example {
	secret := a.Secret
	if secret == "" {
		secret = keyInExamples
	}
	phone, _, _ := strings.Cut(a.Instance.JID, "@")
	phone, _, _ = strings.Cut(phone, ":")
	if phone == "" {
		phone = a.Instance.Phone
	}
	if phone == "" {
		phone = "491700000000"
	}
	fill := strings.NewReplacer("{address}", a.Address, "{id}", string(a.Instance.ID), "{key}", secret, "{phone}", phone)
	return []Example{
		{"curl", "curl", fill.Replace(exampleCurl)},
		{"javascript", "JavaScript", fill.Replace(exampleJavaScript)},
		{"python", "Python", fill.Replace(examplePython)},
		{"php", "PHP", fill.Replace(examplePHP)},
	}
}

const exampleCurl = `curl --user '{id}:{key}' \
  --header 'Content-Type: application/json' \
  --header "Idempotency-Key: $(uuidgen)" \
  --data '{"phone": "{phone}", "message": "Hello from Switchboard"}' \
  {address}/send/message
`

const exampleJavaScript = `const answer = await fetch("{address}/send/message", {
  method: "POST",
  headers: {
    "Authorization": "Bearer {key}",
    "Content-Type": "application/json",
    "Idempotency-Key": crypto.randomUUID(),
  },
  body: JSON.stringify({ phone: "{phone}", message: "Hello from Switchboard" }),
});
console.log(answer.status, await answer.json());
`

const examplePython = `import json, urllib.request, uuid

request = urllib.request.Request(
    "{address}/send/message",
    data=json.dumps({"phone": "{phone}", "message": "Hello from Switchboard"}).encode(),
    headers={
        "Authorization": "Bearer {key}",
        "Content-Type": "application/json",
        "Idempotency-Key": str(uuid.uuid4()),
    },
)
with urllib.request.urlopen(request) as answer:
    print(answer.status, json.load(answer))
`

const examplePHP = `<?php
$request = curl_init("{address}/send/message");
curl_setopt_array($request, [
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_HTTPHEADER => [
        "Authorization: Bearer {key}",
        "Content-Type: application/json",
        "Idempotency-Key: " . bin2hex(random_bytes(16)),
    ],
    CURLOPT_POSTFIELDS => json_encode(["phone" => "{phone}", "message" => "Hello from Switchboard"]),
]);
echo curl_exec($request), PHP_EOL;
`

// scopeWords says what a key may do.
func scopeWords(k settings.Key) string {
	if len(k.Scopes) == 0 {
		return "Everything"
	}
	text := strings.Join(k.Scopes, " and ")
	return strings.ToUpper(text[:1]) + text[1:]
}

func keyUse(k settings.Key, used time.Time, now time.Time) string {
	text := "never used"
	if !used.IsZero() {
		text = "last used " + ago(used, now)
	}
	switch {
	case k.ExpiresAt.IsZero():
	case now.Before(k.ExpiresAt):
		text += " · works for another " + span(k.ExpiresAt.Sub(now))
	default:
		text += " · expired"
	}
	return text
}
