package tables

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"switchboard/engine"
)

// plain gives a value as a driver returns it the type of its kind. SQLite stores what it is
// given whatever a column was declared as.
func plain(k Kind, v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	switch k {
	case Text, UUID:
		switch v := v.(type) {
		case string:
			return v, nil
		case []byte:
			return string(v), nil
		}
	case Bytes:
		switch v := v.(type) {
		case []byte:
			return v, nil
		case string:
			return []byte(v), nil
		}
	case Integer:
		switch v := v.(type) {
		case int64:
			return v, nil
		case bool:
			if v {
				return int64(1), nil
			}
			return int64(0), nil
		}
	case Boolean:
		switch v := v.(type) {
		case bool:
			return v, nil
		case int64:
			return v != 0, nil
		}
	}
	return nil, fmt.Errorf("a value of type %T is no %s", v, k)
}

// storableOn changes a row into what the engine can store: PostgreSQL takes no NUL in a text,
// and no bytes that are no UTF-8.
func storableOn(name string, row []any) []any {
	if name != engine.Postgres {
		return row
	}
	for i, v := range row {
		if s, ok := v.(string); ok && (!utf8.ValidString(s) || strings.Contains(s, "\x00")) {
			row[i] = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
		}
	}
	return row
}

// Encode writes a row as one line of JSON without a line break: an array with the values in
// the order of the columns. Bytes are base64; a text that is no UTF-8 is an array that holds
// its bytes as base64. Equal rows have equal lines.
func Encode(t Table, row []any) []byte {
	line := []byte{'['}
	for i, v := range row {
		if i > 0 {
			line = append(line, ',')
		}
		switch v := v.(type) {
		case nil:
			line = append(line, "null"...)
		case bool:
			line = strconv.AppendBool(line, v)
		case int64:
			line = strconv.AppendInt(line, v, 10)
		case []byte:
			line = appendBase64(line, v)
		case string:
			if !utf8.ValidString(v) {
				line = append(appendBase64(append(line, '['), []byte(v)), ']')
				continue
			}
			text, _ := json.Marshal(v) // a string never fails
			line = append(line, text...)
		default:
			panic(fmt.Sprintf("tables: value of type %T in %s", v, t.Name))
		}
	}
	return append(line, ']')
}

func appendBase64(line, b []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(line, '"'), b), '"')
}

// Decode reads what Encode wrote.
func Decode(t Table, line []byte) ([]any, error) {
	var parts []json.RawMessage
	if err := json.Unmarshal(line, &parts); err != nil {
		return nil, fmt.Errorf("decode row of %s: %w", t.Name, err)
	}
	if len(parts) != len(t.Columns) {
		return nil, fmt.Errorf("decode row of %s: %d values for %d columns", t.Name, len(parts), len(t.Columns))
	}
	row := make([]any, len(parts))
	for i, c := range t.Columns {
		v, err := decode(c.Kind, parts[i])
		if err != nil {
			return nil, fmt.Errorf("decode column %s of %s: %w", c.Name, t.Name, err)
		}
		row[i] = v
	}
	return row, nil
}

func decode(k Kind, part json.RawMessage) (any, error) {
	if bytes.Equal(part, []byte("null")) {
		return nil, nil
	}
	switch k {
	case Integer:
		return strconv.ParseInt(string(part), 10, 64)
	case Boolean:
		var v bool
		err := json.Unmarshal(part, &v)
		return v, err
	case Bytes:
		v := []byte{} // not nil, which would be NULL
		err := json.Unmarshal(part, &v)
		return v, err
	case Text, UUID:
		if part[0] == '[' {
			var v [1][]byte
			err := json.Unmarshal(part, &v)
			return string(v[0]), err
		}
		var v string
		err := json.Unmarshal(part, &v)
		return v, err
	}
	return nil, fmt.Errorf("no kind %q is known", k)
}

// Sum tells whether two tables hold the same rows, in whatever order: engines do not agree
// on the order of texts. It is the count of rows and the sum of their SHA-256, as numbers of
// 256 bits.
type Sum struct {
	Rows   int64
	Digest [sha256.Size]byte
}

// Add counts a row.
func (s *Sum) Add(line []byte) {
	s.Rows++
	digest := sha256.Sum256(line)
	carry := uint16(0)
	for i := len(digest) - 1; i >= 0; i-- {
		carry += uint16(s.Digest[i]) + uint16(digest[i])
		s.Digest[i] = byte(carry) // the rest is carried on
		carry >>= 8
	}
}

// Sums has the sum of each table by name, of empty ones too.
type Sums map[string]*Sum

// SumsFor begins the sums of tables.
func SumsFor(all []Table) Sums {
	sums := Sums{}
	for _, t := range all {
		sums[t.Name] = new(Sum)
	}
	return sums
}
