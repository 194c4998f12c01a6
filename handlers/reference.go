package handlers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"switchboard/auth"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/keys"
	"switchboard/reference"
	"switchboard/views"
)

// longestAnswer is how much of a number's answer the page shows.
const longestAnswer = 256 << 10

// Workers reaches the numbers' own APIs; *instances.Supervisor does.
type Workers interface {
	API(v instances.Viewer, id instances.ID) (http.RoundTripper, error)
}

func (s *server) showReference(w http.ResponseWriter, r *http.Request) error {
	inst, err := s.get(r)
	if err != nil {
		return err
	}
	page := views.Reference{Instance: inst}
	if o, found := reference.Find(r.URL.Query().Get("operation")); found {
		page.Chosen = &o
	}
	return s.renderReference(w, r, http.StatusOK, page)
}

func (s *server) renderReference(w http.ResponseWriter, r *http.Request, status int, page views.Reference) error {
	page.Operations, page.Management = reference.Operations(), s.Management
	return render(w, r, status, views.ShowReference(page))
}

// showOpenAPI is the reference for tools.
func (s *server) showOpenAPI(w http.ResponseWriter, r *http.Request) error {
	inst, err := s.get(r)
	if err != nil {
		return err
	}
	document, err := reference.OpenAPI("The API of "+inst.Name, s.WorkerURL(inst.Port))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(document) // the browser has gone
	return nil
}

// tryOperation has the number do what the form says, and shows what it answers.
func (s *server) tryOperation(w http.ResponseWriter, r *http.Request) error {
	inst, err := s.get(r)
	if err != nil {
		return err
	}
	o, found := reference.Find(r.PostFormValue("operation"))
	request, err := tried(r, o)
	need := keys.Manage
	if found && err == nil {
		need = keys.ScopeOf(request.Method, request.URL.Path, request.URL.Query())
	}
	user, _ := auth.UserFrom(r.Context())
	if !user.May(auth.Scope(need)) {
		return errOnlyLooks
	}
	if !found {
		return fault.New(fault.NotFound, "There is no such operation. Choose one from the reference.")
	}
	page := views.Reference{Instance: inst, Chosen: &o, Try: views.Form{Values: map[string]string{}}}
	for _, p := range o.Parameters {
		page.Try.Values[views.TryField(p)] = r.PostFormValue(views.TryField(p))
	}
	if err == nil {
		page.Answer, err = s.ask(r, inst.ID, request)
	}
	if err != nil {
		problems, ok := refused(err)
		if !ok {
			return err
		}
		page.Try.Errors = problems
		return s.renderReference(w, r, formStatus(err), page)
	}
	return s.renderReference(w, r, http.StatusOK, page)
}

// ask sends a request to a number's own API.
func (s *server) ask(r *http.Request, id instances.ID, request *http.Request) (*views.Answer, error) {
	worker, err := s.Workers.API(viewer(r), id)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	answer, err := worker.RoundTrip(request)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, "The number's own process does not answer. Its status says more.", err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, longestAnswer))
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, "The number's own process stopped answering in the middle.", err)
	}
	return &views.Answer{
		Request: request.Method + " " + request.URL.RequestURI(), Status: answer.Status, Code: answer.StatusCode,
		Took: time.Since(began).Round(time.Millisecond).String(), Body: readable(body),
	}, nil
}

// readable writes an answer as a person reads it.
func readable(body []byte) string {
	var pretty bytes.Buffer
	switch {
	case json.Indent(&pretty, body, "", "  ") == nil:
		return pretty.String()
	case utf8.Valid(body):
		return string(body)
	}
	return fmt.Sprintf("(%d bytes that are no text)", len(body))
}

// tried makes the request that a form describes.
func tried(r *http.Request, o reference.Operation) (*http.Request, error) {
	path, query, body := o.Path, url.Values{}, map[string]any{}
	for _, p := range o.Parameters {
		text := strings.TrimSpace(r.PostFormValue(views.TryField(p)))
		switch {
		case p.In == "path":
			if text == "" {
				return nil, fault.InField(views.TryField(p), p.Name+" cannot be empty.")
			}
			path = strings.Replace(path, "{"+p.Name+"}", url.PathEscape(text), 1)
		case text == "":
		case p.In == "query":
			query.Set(p.Name, text)
		default:
			value, err := valueOf(p, text)
			if err != nil {
				return nil, err
			}
			body[p.Name] = value
		}
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	address := "http://worker" + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(r.Context(), o.Method, address, bytes.NewReader(raw)) //nolint:gosec // it goes down the number's socket, whatever the address says
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "This request cannot be made. Look at what is in the path.", err)
	}
	request.Header.Set("Content-Type", "application/json")
	return request, nil
}

func valueOf(p reference.Parameter, text string) (any, error) {
	switch p.Kind {
	case reference.Number:
		if _, err := strconv.ParseInt(text, 10, 64); err != nil {
			return nil, fault.InField(views.TryField(p), p.Name+" has to be a whole number.")
		}
		return json.Number(text), nil
	case reference.Bool:
		return text == "true", nil
	case reference.List:
		return strings.FieldsFunc(text, func(c rune) bool { return c == '\n' || c == '\r' }), nil
	case reference.Object:
		if !json.Valid([]byte(text)) {
			return nil, fault.New(fault.Invalid, p.Name+" has to be JSON.")
		}
		return json.RawMessage(text), nil
	}
	return text, nil
}
