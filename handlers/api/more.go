package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"switchboard/fault"
)

// passed are operations that a number's own process does. They have the same paths there,
// below nothing, with their parameters in the path, the query or a JSON object.
var passed = []struct{ method, path string }{
	{http.MethodPost, "/message/{message_id}/vote"},
	{http.MethodGet, "/message/{message_id}/votes"},
	{http.MethodPost, "/chat/{chat_jid}/mute"},
	{http.MethodPost, "/chat/{chat_jid}/unread"},
	{http.MethodPost, "/user/about"},
	{http.MethodGet, "/user/blocked"},
	{http.MethodPost, "/user/blocked"},
	{http.MethodPost, "/user/lookup"},
	{http.MethodGet, "/user/resolve"},
	{http.MethodPost, "/newsletter"},
	{http.MethodPost, "/newsletter/follow"},
	{http.MethodPost, "/newsletter/mute"},
	{http.MethodPost, "/community"},
	{http.MethodGet, "/community/groups"},
	{http.MethodPost, "/community/groups"},
}

// longestAnswer is more than a number answers to any of them.
const longestAnswer = 16 << 20

// pass has a number's process do what a request asks for, and answers in the words of this
// API: the results alone, 204 where there are none, and a problem document.
func (s *server) pass(w http.ResponseWriter, r *http.Request) error {
	var in map[string]any
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		if _, err := s.Instances.API(viewer(r), instanceID(r)); err != nil {
			return err // before what is wrong with the body
		}
		if err := readJSON(w, r, &in); err != nil {
			return err
		}
	}
	_, path, _ := strings.Cut(r.URL.EscapedPath(), "/instances/"+string(instanceID(r)))
	return s.ask(w, r, r.Method, path+"?"+r.URL.RawQuery, in, nil)
}

// ask has a number's process do an operation, and answers as pass does. in is nil where there
// is no body; called are its members that have other names in this API.
func (s *server) ask(w http.ResponseWriter, r *http.Request, method, path string, in map[string]any, called map[string]string) error {
	worker, err := s.Instances.API(viewer(r), instanceID(r))
	if err != nil {
		return err
	}
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("pass a request on: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	out, err := http.NewRequestWithContext(r.Context(), method, "http://worker"+path, body) //nolint:gosec // it goes down the number's socket, whatever the address says
	if err != nil {
		return fault.Wrap(fault.Invalid, "The path is not escaped properly.", err)
	}
	out.Header.Set("Content-Type", "application/json")
	if key := r.Header.Get("Idempotency-Key"); key != "" {
		out.Header.Set("Idempotency-Key", key)
	}
	answer, err := worker.RoundTrip(out)
	if err != nil {
		return fault.Wrap(fault.Unavailable, "The number's own process does not answer. Its status says more.", err)
	}
	defer func() { _ = answer.Body.Close() }()
	var envelope struct {
		Code, Message string
		Results       json.RawMessage
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, longestAnswer)).Decode(&envelope); err != nil {
		return fmt.Errorf("read a number's answer: %w", err)
	}
	switch {
	case answer.StatusCode == http.StatusUnauthorized:
		// There it means that the number is not connected; here, that the token is no good.
		return fault.New(fault.Unavailable, envelope.Message)
	case answer.StatusCode == http.StatusBadRequest:
		return blamed(envelope.Message, called)
	case answer.StatusCode == http.StatusUnprocessableEntity:
		return fault.InField("Idempotency-Key", envelope.Message)
	case answer.StatusCode >= 400:
		return &httpError{answer.StatusCode, envelope.Message}
	case envelope.Results == nil:
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	if replayed := answer.Header.Get("Idempotent-Replayed"); replayed != "" {
		w.Header().Set("Idempotent-Replayed", replayed)
	}
	return writeJSON(w, answer.StatusCode, envelope.Results)
}

// oneFault is how a number says what is wrong with one parameter.
var oneFault = regexp.MustCompile(`^([a-z_]+): ([^;]+)$`)

// blamed is what a number refuses, said of the member to blame if that is one.
func blamed(message string, called map[string]string) error {
	found := oneFault.FindStringSubmatch(message)
	if found == nil {
		return fault.New(fault.Invalid, message)
	}
	name, what := cmp.Or(called[found[1]], found[1]), found[2]
	if first, _ := utf8.DecodeRuneInString(what); !unicode.IsUpper(first) { // else it is a sentence by itself
		what = name + ": " + what
	}
	return fault.InField(name, what)
}
