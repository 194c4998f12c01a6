package gowa

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"

	"switchboard/fault"
)

// How large things may be; the numbers are gowa's.
const (
	maxFields = 1 << 20 // all parameters that are no files
	maxImage  = 20_000_000
	maxFile   = 50_000_000
	maxVideo  = 100_000_000

	maxParts = 1000 // of a multipart body
)

// How long a request may take to arrive.
const (
	fieldsTimeout = time.Minute
	filesTimeout  = 10 * time.Minute
)

// request is a request with its parameters, those in the path included. Clients send them
// as JSON, as a form, as multipart or in the query, and numbers and booleans as text or as
// themselves.
//
// Its getters note what is wrong with a parameter and go on; err tells in the end.
type request struct {
	*http.Request
	values map[string]any // string, bool, json.Number, nil, []any or map[string]any
	body   []byte         // the JSON object as it came, if it was one
	files  map[string]*upload
	region string // whose phone numbers need no country code
	wrong  []*fault.Error
}

// upload is a file that came with a request. It is on the disk, under no name, and gone
// when the request has been answered.
type upload struct {
	*os.File
	name  string // as the sender calls it, "" if he does not; no path
	media string // its type as the sender has it, "" if he does not say
	size  int64
}

// forget gives back what a request took.
func (r *request) forget() {
	for _, f := range r.files {
		_ = f.Close()
	}
}

// read takes in a request's parameters. What it returns is to be forgotten, also after an
// error.
func read(w http.ResponseWriter, r *http.Request, files map[string]int64) (*request, error) {
	in := &request{Request: r, values: map[string]any{}, files: map[string]*upload{}}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return in, fault.Wrap(fault.Invalid, "The query of the address is malformed.", err)
	}
	if err := in.add(query); err != nil {
		return in, err
	}
	// Some clients send a body with every GET.
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		if err := in.readBody(w, files); err != nil {
			return in, err
		}
	}
	for i, name := range chi.RouteContext(r.Context()).URLParams.Keys {
		_ = i
		value, err := pathValue(r, name)
		if err != nil || !utf8.ValidString(value) || len(value) > 256 {
			return in, fault.Wrap(fault.Invalid, name+" in the path is malformed.", err)
		}
		in.values[name] = value
	}
	return in, nil
}

func (r *request) readBody(w http.ResponseWriter, files map[string]int64) error {
	media, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	limit, timeout := int64(maxFields), fieldsTimeout
	for _, size := range files {
		if media != "multipart/form-data" {
			size += size / 2 // Base64 takes a third more, and escapes in it a little
		}
		limit, timeout = max(limit, size+maxFields), filesTimeout
	}
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(timeout)) // not every ResponseWriter has a connection
	defer func() { _ = control.SetReadDeadline(time.Time{}) }()
	var err error
	switch media {
	case "multipart/form-data":
		err = r.readParts(params["boundary"], files)
	case "application/x-www-form-urlencoded":
		err = r.readForm()
	default:
		err = r.readJSON(files)
	}
	var tooLarge *http.MaxBytesError
	var said *fault.Error
	switch {
	case err == nil:
		return r.unfold(files)
	case errors.As(err, &tooLarge):
		return fault.Wrap(fault.TooLarge, "The request is too large.", err)
	case errors.As(err, &said):
		return err
	}
	return fault.Wrap(fault.Invalid, "The request is neither a JSON object nor a form.", err)
}

func (r *request) readJSON(files map[string]int64) error {
	text, err := r.unpack(r.Body, files)
	if err != nil || len(bytes.TrimSpace(text)) == 0 {
		return err
	}
	if !utf8.Valid(text) {
		return errNotUTF8
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var values map[string]any
	if err := decoder.Decode(&values); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	maps.Copy(r.values, values)
	r.body = text
	return nil
}

func (r *request) readForm() error {
	text, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxFields))
	if err != nil {
		return err
	}
	values, err := url.ParseQuery(string(text))
	if err != nil {
		return err
	}
	return r.add(values)
}

// readParts reads a multipart body. Files go to the disk as they come.
func (r *request) readParts(boundary string, files map[string]int64) error {
	if boundary == "" {
		return errors.New("multipart without a boundary")
	}
	body := &ending{Reader: r.Body}
	parts := multipart.NewReader(body, boundary)
	values, left := url.Values{}, int64(maxFields)
	for range maxParts {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			// The library says the same of a body that breaks off in the head of a part.
			if !bytes.Contains(body.last, []byte("--"+boundary+"--")) {
				return io.ErrUnexpectedEOF
			}
			return r.add(values)
		}
		if err != nil {
			return err
		}
		name := part.FormName()
		limit, isFile := files[name]
		if part.FileName() != "" {
			if !isFile {
				return fault.InField(name, name+": no file is expected here.")
			}
			if err := r.keep(name, part, limit); err != nil {
				return err
			}
			continue
		}
		value, err := io.ReadAll(io.LimitReader(part, left+1))
		if err != nil {
			return err
		}
		if left -= int64(len(value)); left < 0 {
			return fault.New(fault.TooLarge, "The request is too large.")
		}
		if isFile && !utf8.Valid(value) {
			return fault.InField(name, name+": a file comes with a filename.")
		}
		values.Add(name, string(value))
	}
	return fault.New(fault.TooLarge, "The request has too many parts.")
}

// ending remembers the last bytes that were read.
type ending struct {
	io.Reader
	last []byte
}

func (e *ending) Read(p []byte) (int, error) {
	const enough = 8 << 10 // the library reads ahead by less
	n, err := e.Reader.Read(p)
	e.last = append(e.last, p[:n]...)
	if excess := len(e.last) - enough; excess > 0 {
		e.last = append(e.last[:0], e.last[excess:]...)
	}
	return n, err
}

// keep writes a file that comes with the request to the disk.
func (r *request) keep(name string, part *multipart.Part, limit int64) error {
	if r.files[name] != nil {
		return fault.InField(name, name+": only one file can be sent.")
	}
	f, err := newUpload(part, limit)
	if err != nil {
		return inField(name, err)
	}
	f.name, f.media = clean(part.FileName()), part.Header.Get("Content-Type")
	r.files[name] = f
	return nil
}

// newUpload copies from into a file without a name. A fault tells that there is too much.
func newUpload(from io.Reader, limit int64) (*upload, error) {
	file, err := os.CreateTemp("", "upload-")
	if err != nil {
		return nil, internal(err)
	}
	f := &upload{File: file}
	if err = os.Remove(file.Name()); err == nil {
		f.size, err = io.Copy(file, io.LimitReader(from, limit+1))
	}
	if err == nil && f.size > limit {
		err = fault.New(fault.TooLarge, "the file is larger than "+megabytes(limit)+".")
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	switch _, ours := errors.AsType[*fs.PathError](err); { // what was read has other errors
	case errors.Is(err, syscall.ENOSPC):
		err = &fault.Error{Kind: fault.Internal, Message: "There is no room left on the disk for this file. Make room, then try again.", Err: err}
	case ours:
		err = internal(err)
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return f, nil
}

// internal keeps an error of our own from passing for one of the request's.
func internal(err error) error {
	return &fault.Error{Kind: fault.Internal, Message: fault.MessageOf(err), Err: err}
}

// inField says of a fault which field it belongs to.
func inField(name string, err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind == fault.Internal {
		return err
	}
	return &fault.Error{Kind: f.Kind, Field: name, Message: name + ": " + f.Message, Err: err}
}

var errNotUTF8 = fault.New(fault.Invalid, "The request is not valid UTF-8.")

// add takes values of a form or a query.
func (r *request) add(values url.Values) error {
	for name, list := range values {
		if !utf8.ValidString(name) {
			return errNotUTF8
		}
		all := make([]any, len(list))
		for i, value := range list {
			if !utf8.ValidString(value) {
				return errNotUTF8
			}
			all[i] = value
		}
		if base, isList := strings.CutSuffix(name, "[]"); isList {
			r.values[base] = all
		} else if len(all) == 1 {
			r.values[name] = all[0]
		} else {
			r.values[name] = all
		}
	}
	return nil
}

// clean makes a name of a file harmless: no path, no control characters, not endless.
func clean(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return -1
		}
		return r
	}, strings.TrimSpace(name))
	for len(name) > 200 {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	return name
}
