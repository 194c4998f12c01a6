package worker

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strings"

	"switchboard/fault"
)

// fields are a request's parameters by name. Clients send them as JSON, as a form or as
// multipart, and numbers and booleans as strings in the latter two.
type fields map[string]any

func readFields(r *http.Request) (fields, error) {
	in := fields{}
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	var err error
	switch media {
	case "application/x-www-form-urlencoded":
		err = r.ParseForm()
	case "multipart/form-data":
		err = r.ParseMultipartForm(maxBody) //nolint:gosec // the body has been bounded to maxBody by the caller
	default:
		err = json.NewDecoder(r.Body).Decode(&in)
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, fault.Wrap(fault.TooLarge, "The request is larger than 1 MiB.", err)
	case err != nil:
		return nil, fault.Wrap(fault.Invalid, "The request is neither a JSON object nor a form.", err)
	}
	for name, values := range r.PostForm {
		in[name] = values[0]
	}
	return in, nil
}

// text returns a parameter as text, "" if it is missing or something else.
func (f fields) text(name string) string {
	s, _ := f[name].(string)
	return s
}

// given says whether a parameter has a value that asks for something.
func (f fields) given(name string) bool {
	switch v := f[name].(type) {
	case nil:
		return false
	case bool:
		return v
	case float64:
		return v != 0
	case string:
		s := strings.TrimSpace(v)
		return s != "" && s != "0" && s != "false"
	case []any:
		return len(v) > 0
	}
	return true
}
