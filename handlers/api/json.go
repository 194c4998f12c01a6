package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"switchboard/fault"
)

const longestBody = 1 << 20

// readJSON reads the one JSON object that a body has to be into the struct behind into.
// Whatever is wrong is one sentence: nothing is guessed, and no member is ignored.
func readJSON(w http.ResponseWriter, r *http.Request, into any) error {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return &httpError{http.StatusUnsupportedMediaType, "Send the body as JSON, with the header Content-Type: application/json."}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, longestBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fault.Wrap(fault.TooLarge, "The body is too large; 1 MiB is the most.", err)
	}
	if err != nil {
		return &httpError{http.StatusBadRequest, "The body ended before it was complete."}
	}
	if !utf8.Valid(body) {
		return &httpError{http.StatusBadRequest, "The body is not valid UTF-8."}
	}
	if trimmed := bytes.TrimSpace(body); len(trimmed) == 0 || trimmed[0] != '{' {
		return &httpError{http.StatusBadRequest, "The body has to be one JSON object."}
	}
	return decode(body, into)
}

// decode reads the one JSON object that body has to be into the struct behind into.
func decode(body []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return explainJSON(body, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return &httpError{http.StatusBadRequest, "The body has to be one JSON object, with nothing behind it."}
	}
	return nil
}

func explainJSON(body []byte, err error) error {
	var wrongType *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &wrongType):
		got, number := strings.CutPrefix(wrongType.Value, "number ") // which is there, and is not of this kind
		switch {
		case got == "array" || got == "object":
			got = "an " + got
		case !number:
			got = "a " + got
		}
		return fault.InField(wrongType.Field, fmt.Sprintf("%q has to be %s, not %s.", wrongType.Field, wanted(wrongType.Type.Kind()), got))
	case errors.As(err, &syntax):
		return &httpError{http.StatusBadRequest, fmt.Sprintf("The body is not valid JSON: there is a mistake at byte %d.", syntax.Offset)}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &httpError{http.StatusBadRequest, "The body is not valid JSON: it ends in the middle."}
	}
	if wrongTime, ok := errors.AsType[*time.ParseError](err); ok {
		said := fmt.Sprintf("%s is no time. Write one as 2027-01-31T12:00:00Z.", wrongTime.Value)
		var members map[string]any
		_ = json.Unmarshal(body, &members) // it is an object
		for name, value := range members {
			if value == wrongTime.Value {
				return fault.InField(name, said)
			}
		}
		return fault.New(fault.Invalid, said)
	}
	// The decoder has no type for these.
	if strings.HasPrefix(err.Error(), "Time.UnmarshalJSON:") {
		return fault.New(fault.Invalid, "A time is written as text, \"2027-01-31T12:00:00Z\".")
	}
	if _, name, found := strings.Cut(err.Error(), "unknown field "); found {
		name = strings.Trim(name, `"`)
		return fault.InField(name, fmt.Sprintf("There is no member %q here.", name))
	}
	return &httpError{http.StatusBadRequest, "The body is not valid JSON."}
}

// wanted is a kind of Go's in the words of JSON.
func wanted(kind reflect.Kind) string {
	switch kind {
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	}
	return "a number"
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n')) // an error means that the client has gone
	return nil
}
