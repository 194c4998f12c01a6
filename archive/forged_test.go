package archive

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"

	"switchboard/fault"
)

// forge encrypts lines as a backup would be.
func forge(t *testing.T, lines ...string) *bytes.Reader {
	t.Helper()
	var out bytes.Buffer
	sealed, err := Random("k").encrypt(&out)
	if err != nil {
		t.Fatal(err)
	}
	zipped := gzip.NewWriter(sealed)
	_, err = io.WriteString(zipped, strings.Join(lines, "\n")+"\n")
	if err := errors.Join(err, zipped.Close(), sealed.Close()); err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(out.Bytes())
}

const (
	goodHeader = `{"what":"switchboard backup","format":2}`
	goodNumber = `{"number":{"id":"a_1"}}`
	endOfFiles = `{"files_end":{"count":1,"bytes":2}}`
	afterFiles = `{"complete":{"numbers":1,"databases":0,"files":1}}`
	sumOfNo    = `{"file_end":{"sha256":"k5Apjz+wxbFgSYk115yxOa7yjhxHNYtLu6YYYrnCblk="}}`
	goodTable  = `{"database":{"part":"main","version":1,"tables":[{"name":"t","columns":[{"name":"k","kind":"text"}]}]}}`
)

// files is a backup with one file.
func files(ahead, file, content string) []string {
	return []string{goodHeader, goodNumber, `{"files":` + ahead + `}`, `{"file":` + file + `}`, content, endOfFiles, afterFiles}
}

// Those forgeries are wrong in one thing only.
func TestNotForged(t *testing.T) {
	t.Parallel()
	r, err := NewReader(forge(t, files(`{"count":1,"bytes":2}`, `{"folder":"media","name":"x","size":2}`, "no"+sumOfNo)...), Random("k"))
	if err == nil {
		_, err = r.Summary(nil)
	}
	if err != nil {
		t.Error(err)
	}
}

// What is encrypted rightly and is no backup, or not a whole one, is refused all the same.
func TestForged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines []string
		want  error
		word  string
	}{
		"newer":              {[]string{`{"what":"switchboard backup","format":3,"program":"v9"}`, "what comes then is not known"}, ErrNewer, "v9"},
		"something else":     {[]string{`{"what":"a shopping list"}`}, ErrForeign, "no backup"},
		"no JSON":            {[]string{`hello`}, ErrForeign, "no backup"},
		"no end":             {[]string{goodHeader}, ErrDamaged, "incomplete"},
		"no end of a table":  {[]string{goodHeader, goodTable, `{"table":"t"}`, `["a"]`}, ErrDamaged, ""},
		"a number is absent": {[]string{goodHeader, `{"complete":{"numbers":1,"databases":0}}`}, ErrDamaged, ""},
		"more behind":        {[]string{goodHeader, `{"complete":{}}`, `{}`}, ErrDamaged, ""},
		"rows of no table":   {[]string{goodHeader, goodTable, `["a"]`, `{"sums":{}}`, `{"complete":{"databases":1}}`}, ErrDamaged, ""},
		"an unknown table":   {[]string{goodHeader, goodTable, `{"table":"u"}`, `{"sums":{}}`, `{"complete":{"databases":1}}`}, ErrDamaged, ""},
		"another sum":        {[]string{goodHeader, goodTable, `{"table":"t"}`, `["a"]`, `{"sums":{"t":{"rows":1,"sha256":"AAAA"}}}`, `{"complete":{"databases":1}}`}, ErrDamaged, ""},
		"a missing row":      {[]string{goodHeader, goodTable, `{"sums":{"t":{"rows":1,"sha256":"AAAA"}}}`, `{"complete":{"databases":1}}`}, ErrDamaged, ""},
		"an odd row":         {[]string{goodHeader, goodTable, `{"table":"t"}`, `["a","b"]`, `{"sums":{"t":{"rows":1}}}`, `{"complete":{"databases":1}}`}, ErrDamaged, ""},

		"files of no number": {[]string{goodHeader, `{"files":{"count":0,"bytes":0}}`, `{"files_end":{"count":0,"bytes":0}}`, `{"complete":{"files":1}}`}, ErrDamaged, ""},
		"a path":             {files(`{"count":1,"bytes":2}`, `{"folder":"media","name":"../../x","size":2}`, "no"+sumOfNo), ErrDamaged, ""},
		"a folder above":     {files(`{"count":1,"bytes":2}`, `{"folder":"..","name":"x","size":2}`, "no"+sumOfNo), ErrDamaged, ""},
		"a hidden file":      {files(`{"count":1,"bytes":2}`, `{"folder":"media","name":".x","size":2}`, "no"+sumOfNo), ErrDamaged, ""},
		"more bytes":         {files(`{"count":1,"bytes":1}`, `{"folder":"media","name":"x","size":2}`, "no"+sumOfNo), ErrDamaged, ""},
		"more files":         {files(`{"count":0,"bytes":2}`, `{"folder":"media","name":"x","size":2}`, "no"+sumOfNo), ErrDamaged, ""},
		"less than nothing":  {files(`{"count":1,"bytes":2}`, `{"folder":"media","name":"x","size":-2}`, "no"+sumOfNo), ErrDamaged, ""},
		"another file":       {files(`{"count":1,"bytes":2}`, `{"folder":"media","name":"x","size":2}`, "on"+sumOfNo), ErrDamaged, ""},
		"a longer file":      {files(`{"count":1,"bytes":2}`, `{"folder":"media","name":"x","size":2}`, "noo"+sumOfNo), ErrDamaged, ""},
		"no end of a file":   {[]string{goodHeader, goodNumber, `{"files":{"count":1,"bytes":1000}}`, `{"file":{"folder":"media","name":"x","size":1000}}`, "no"}, ErrDamaged, ""},
		"no sum of a file":   {files(`{"count":1,"bytes":2}`, `{"folder":"media","name":"x","size":2}`, `no{}`), ErrDamaged, ""},
		"a missing file":     {[]string{goodHeader, goodNumber, `{"files":{"count":1,"bytes":2}}`, endOfFiles, afterFiles}, ErrDamaged, ""},
		"missing files":      {[]string{goodHeader, goodNumber, afterFiles}, ErrDamaged, ""},
	} {
		r, err := NewReader(forge(t, c.lines...), Random("k"))
		if err == nil {
			_, err = r.Summary(nil)
		}
		if !errors.Is(err, c.want) || fault.KindOf(err) != fault.Invalid || !strings.Contains(fault.MessageOf(err), c.word) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
