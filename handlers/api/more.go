package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"switchboard/fault"
)

// passed are operations that a number's own process does. They have the same paths there,
// below nothing, with their parameters in the path, the query or a JSON object.
var passed = []struct{ method, path string }{
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
	worker, err := s.Instances.API(viewer(r), instanceID(r))
	if err != nil {
		return err
	}
	var body io.Reader
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		var in map[string]any
		if err := readJSON(w, r, &in); err != nil {
			return err
		}
		raw, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("pass a request on: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	_, path, _ := strings.Cut(r.URL.EscapedPath(), "/instances/"+string(instanceID(r)))
	out, err := http.NewRequestWithContext(r.Context(), r.Method, "http://worker"+path+"?"+r.URL.RawQuery, body) //nolint:gosec // it goes down the number's socket, whatever the address says
	if err != nil {
		return fault.Wrap(fault.Invalid, "The path is not escaped properly.", err)
	}
	out.Header.Set("Content-Type", "application/json")
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
		return fault.New(fault.Invalid, envelope.Message)
	case answer.StatusCode >= 400:
		return &httpError{answer.StatusCode, envelope.Message}
	case envelope.Results == nil:
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return writeJSON(w, http.StatusOK, envelope.Results)
}
