package gowa

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"switchboard/fault"
)

// In JSON a file is text: Base64, in either alphabet and with or without its padding, or a
// data URI of it. It goes to the disk as it comes, so that a film takes no memory, and the rest
// of the object is read as any other.

// unpack reads a JSON object whose members named in files may be files. It keeps those and
// returns the object without them. What is wrong with the object itself is found by whoever
// reads what is returned.
func (r *request) unpack(from io.Reader, files map[string]int64) ([]byte, error) {
	u := &unpacker{from: bufio.NewReader(from)}
	key, depth, before := "", 0, byte(0) // before is what structures the object, as it was met last
	for {
		b, err := u.from.ReadByte()
		if errors.Is(err, io.EOF) {
			return u.rest.Bytes(), nil
		}
		if err != nil {
			return nil, err
		}
		limit, isFile := files[key]
		switch {
		case b == '"' && depth == 1 && before == ':' && isFile:
			if err := r.embedded(key, &plain{from: u.from}, limit); err != nil {
				return nil, err
			}
			err = u.keep('"', '"')
		case b == '"':
			var text []byte
			if text, err = u.text(); err == nil && depth == 1 && before != ':' {
				key = ""
				_ = json.Unmarshal(text, &key)
			}
		default:
			switch b {
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			if strings.IndexByte("{}[]:,", b) >= 0 {
				before = b
			}
			err = u.keep(b)
		}
		if err != nil {
			return nil, err
		}
	}
}

// unpacker separates files from the object that they come in.
type unpacker struct {
	from *bufio.Reader
	rest bytes.Buffer
}

func (u *unpacker) keep(b ...byte) error {
	if u.rest.Len()+len(b) > maxFields {
		return &http.MaxBytesError{Limit: maxFields}
	}
	u.rest.Write(b)
	return nil
}

// text keeps a text whose first quotation mark was read, and returns it with both of them.
func (u *unpacker) text() ([]byte, error) {
	start := u.rest.Len()
	if err := u.keep('"'); err != nil {
		return nil, err
	}
	for escaped := false; ; {
		b, err := u.from.ReadByte()
		if errors.Is(err, io.EOF) {
			return nil, io.ErrUnexpectedEOF
		}
		if err == nil {
			err = u.keep(b)
		}
		if err != nil {
			return nil, err
		}
		if b == '"' && !escaped {
			return u.rest.Bytes()[start:], nil
		}
		escaped = b == '\\' && !escaped
	}
}

// embedded keeps the file in a text. An empty text is none.
func (r *request) embedded(name string, from io.Reader, limit int64) error {
	text := bufio.NewReader(from)
	head, err := text.Peek(len("data:"))
	switch {
	case errors.Is(err, errNotBase64):
		return notEmbedded(name, err)
	case err != nil && !errors.Is(err, io.EOF):
		return err
	case len(head) == 0:
		return nil
	}
	if r.files[name] != nil {
		return fault.InField(name, name+": only one file can be sent.")
	}
	media, params := "", map[string]string(nil)
	if strings.EqualFold(string(head), "data:") {
		if media, params, err = readDataURI(text); err != nil {
			return notEmbedded(name, err)
		}
	}
	f, err := newUpload(base64.NewDecoder(base64.RawStdEncoding, &alphabet{from: text}), limit)
	if err == nil {
		_, err = io.Copy(io.Discard, text) // what the decoder need not see
	}
	var corrupt base64.CorruptInputError
	switch {
	case errors.As(err, &corrupt), errors.Is(err, errNotBase64):
		return notEmbedded(name, err)
	case err != nil:
		return inField(name, err)
	}
	f.media, f.name = media, clean(params["name"])
	r.files[name] = f
	return nil
}

// unfold takes files out of texts of a form.
func (r *request) unfold(files map[string]int64) error {
	for name, limit := range files {
		switch v := r.values[name].(type) {
		case nil:
		case string:
			if v == "" || r.values[name+"_url"] != nil && r.values[name+"_url"] != "" {
				continue
			}
			v = strings.ReplaceAll(v, " ", "+") // what a plus that nobody escaped has become
			if err := r.embedded(name, strings.NewReader(v), limit); err != nil {
				return err
			}
			r.values[name] = ""
		default:
			return notEmbedded(name, errNotBase64)
		}
	}
	return nil
}

func notEmbedded(name string, err error) error {
	return &fault.Error{
		Kind: fault.Invalid, Field: name, Err: err,
		Message: name + ": in JSON this is a file in Base64, or a data URI of it. An address goes in " + name + "_url where the operation has that.",
	}
}

var errNotBase64 = errors.New("not base64")

// readDataURI reads a data URI up to its data.
func readDataURI(from *bufio.Reader) (media string, params map[string]string, err error) {
	const longest = 512
	var head []byte
	for len(head) < longest {
		b, err := from.ReadByte()
		if err != nil {
			return "", nil, err
		}
		if b == ',' {
			kind, isBase64 := strings.CutSuffix(strings.TrimSpace(string(head[len("data:"):])), ";base64")
			if !isBase64 {
				return "", nil, errNotBase64
			}
			media, params, _ = mime.ParseMediaType(kind) // without one the content tells
			return media, params, nil
		}
		head = append(head, b)
	}
	return "", nil, errNotBase64
}

// plain reads a JSON text, whose first quotation mark was read, up to its last.
type plain struct {
	from *bufio.Reader
	over bool
}

func (p *plain) Read(to []byte) (n int, err error) {
	for n < len(to) && !p.over {
		b, err := p.from.ReadByte()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return n, err
		}
		switch b {
		case '"':
			p.over = true
			continue
		case '\\':
			if b, err = p.escape(); err != nil {
				return n, err
			}
		}
		to[n] = b
		n++
	}
	if n == 0 && p.over {
		return 0, io.EOF
	}
	return n, nil
}

// escape reads what stands behind a backslash. Some languages escape the slash, others the
// plus, and either may be in Base64.
func (p *plain) escape() (byte, error) {
	b, err := p.from.ReadByte()
	if err != nil {
		return 0, io.ErrUnexpectedEOF
	}
	switch b {
	case '/', '\\', '"':
		return b, nil
	case 'n', 'r', 't':
		return ' ', nil
	case 'u':
		digits := make([]byte, 4)
		if _, err := io.ReadFull(p.from, digits); err != nil {
			return 0, io.ErrUnexpectedEOF
		}
		if c, err := strconv.ParseUint(string(digits), 16, 7); err == nil {
			return byte(c), nil
		}
	}
	return 0, errNotBase64
}

// alphabet makes one alphabet of the two that there are, and leaves out spaces and padding.
type alphabet struct {
	from   io.Reader
	padded bool
}

func (a *alphabet) Read(to []byte) (int, error) {
	for {
		n, err := a.from.Read(to)
		kept := to[:0]
		for _, b := range to[:n] {
			switch b {
			case ' ', '\n', '\r', '\t':
				continue
			case '=':
				a.padded = true
				continue
			case '-':
				b = '+'
			case '_':
				b = '/'
			}
			if a.padded { // nothing comes after it
				return 0, errNotBase64
			}
			kept = append(kept, b)
		}
		if len(kept) > 0 || err != nil || len(to) == 0 {
			return len(kept), err
		}
	}
}
