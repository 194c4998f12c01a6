package views

import (
	"context"
	"encoding/json"
)

// CSRFHeader is the header in which htmx sends the token of forms.
const CSRFHeader = "X-CSRF-Token"

// htmxConfig keeps htmx within the content security policy (no injected style, no eval),
// on our own host, without history in the browser's storage, and lets an answer of 422 (a
// form with its errors) be shown like a success. Other refusals are shown too: the server
// sends them to the toasts.
const htmxConfig = `{"includeIndicatorStyles":false,"allowEval":false,"selfRequestsOnly":true,"historyCacheSize":0,"scrollBehavior":"auto",` +
	`"responseHandling":[{"code":"204","swap":false},{"code":"[23]..","swap":true},{"code":"[45]..","swap":true,"error":false}]}`

func csrfHeader(ctx context.Context) string {
	// A map of two strings cannot fail to encode.
	b, _ := json.Marshal(map[string]string{CSRFHeader: shell(ctx).CSRF})
	return string(b)
}
