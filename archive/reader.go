package archive

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"switchboard/fault"
	"switchboard/tables"
)

// maxLine bounds a line, and with it what a forged backup can take of the memory.
const maxLine = 256 << 20

// Reader reads a backup. It is not safe for concurrent use.
type Reader struct {
	Header Header

	in    *bufio.Reader
	count complete
	open  *Content // the section whose rows are not read yet
	files *Files   // the section whose files are not read yet
}

// Section is what Next returns: one of them is set.
type Section struct {
	Number   *Number
	Database *Content
	Files    *Files
}

// NewReader begins to read. A wrong passphrase, a file that is no backup and a backup of a
// newer format are faults that wrap ErrPassphrase, ErrForeign and ErrNewer.
func NewReader(r io.Reader, k Key) (*Reader, error) {
	plain, err := k.decrypt(r)
	if err != nil {
		return nil, err
	}
	zipped, err := gzip.NewReader(plain)
	if err != nil {
		return nil, damaged(err)
	}
	a := &Reader{in: bufio.NewReaderSize(zipped, 64<<10)}
	first, err := a.line()
	if err != nil {
		return nil, err
	}
	if json.Unmarshal(first, &a.Header) != nil || a.Header.Magic != magic {
		return nil, fault.Wrap(fault.Invalid, "This file is no backup of Switchboard.", ErrForeign)
	}
	if a.Header.Format > Format {
		return nil, fault.Wrap(fault.Invalid, fmt.Sprintf(
			"This backup was written by a newer version of Switchboard (%s); restore it with that version or a later one.", a.Header.Program),
			ErrNewer)
	}
	return a, nil
}

// Next returns the next section, whether what is in the one before was read or not. After
// the last it returns io.EOF: then the backup was complete and unaltered. Everything else is a
// fault that wraps ErrDamaged.
func (a *Reader) Next() (Section, error) {
	if a.open != nil {
		if err := a.open.Each(context.Background(), func(tables.Table, []any) error { return nil }); err != nil {
			return Section{}, err
		}
	}
	if a.files != nil {
		if err := a.files.Each(context.Background(), func(File, io.Reader) error { return nil }); err != nil {
			return Section{}, err
		}
	}
	l, err := a.parsed()
	if err != nil {
		return Section{}, err
	}
	switch {
	case l.Number != nil:
		a.count.Numbers++
		return Section{Number: l.Number}, nil
	case l.Database != nil:
		a.count.Databases++
		a.open = &Content{Part: l.Database.Part, Version: l.Database.Version, from: a, tables: l.Database.Tables}
		return Section{Database: a.open}, nil
	case l.Files != nil:
		a.count.Files++
		a.files = &Files{FilesAhead: *l.Files, from: a}
		return Section{Files: a.files}, nil
	case l.Complete != nil && *l.Complete == a.count:
		// The end of the stream is what proves that nothing was cut off or added.
		if _, err := a.in.ReadByte(); !errors.Is(err, io.EOF) {
			return Section{}, damaged(fmt.Errorf("after the end: %w", errors.Join(err, errors.New("no end"))))
		}
		return Section{}, io.EOF
	}
	return Section{}, damaged(errors.New("a line out of place"))
}

// Summary is what is in a backup.
type Summary struct {
	Numbers  []Number
	Versions map[string]int64      // the newest schema of each part
	Files    map[string]FilesAhead // of a number, by its id
}

// Summary reads a backup to its end, which proves that it is complete and unaltered. look, if
// it is not nil, is called with each section and may read it; an error of it ends the reading.
func (a *Reader) Summary(look func(Section) error) (Summary, error) {
	all := Summary{Versions: map[string]int64{}, Files: map[string]FilesAhead{}}
	for {
		section, err := a.Next()
		switch {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return Summary{}, err
		case section.Number != nil:
			all.Numbers = append(all.Numbers, *section.Number)
		case section.Files != nil:
			if len(all.Numbers) == 0 {
				return Summary{}, damaged(errors.New("files of no number"))
			}
			all.Files[all.Numbers[len(all.Numbers)-1].ID] = section.Files.FilesAhead
		default:
			d := section.Database
			all.Versions[d.Part] = max(all.Versions[d.Part], d.Version)
		}
		if look != nil {
			if err := look(section); err != nil {
				return Summary{}, err
			}
		}
	}
}

func (a *Reader) parsed() (line, error) {
	content, err := a.line()
	if err != nil {
		return line{}, err
	}
	var l line
	if err := json.Unmarshal(content, &l); err != nil {
		return line{}, damaged(err)
	}
	return l, nil
}

// line returns the next line; it is valid until the next call.
func (a *Reader) line() ([]byte, error) {
	part, err := a.in.ReadSlice('\n')
	if err == nil {
		return part[:len(part)-1], nil
	}
	var long []byte
	for errors.Is(err, bufio.ErrBufferFull) {
		if long = append(long, part...); len(long) > maxLine {
			return nil, damaged(errors.New("a line without end"))
		}
		part, err = a.in.ReadSlice('\n')
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // the end comes after the last line, and is looked for there
	}
	if err != nil {
		return nil, damaged(err)
	}
	return bytes.TrimSuffix(append(long, part...), []byte{'\n'}), nil
}

// Content is a database in a backup. Its rows can be read once.
type Content struct {
	Part    string
	Version int64
	Bytes   int64 // how many its rows have, as far as they were read

	from   *Reader
	tables []tables.Table
}

var _ tables.Content = (*Content)(nil)

// Tables returns the schema.
func (c *Content) Tables() []tables.Table { return c.tables }

// Each reads the rows, and at their end compares counts and sums; see tables.Content.
func (c *Content) Each(ctx context.Context, do func(t tables.Table, row []any) error) error {
	if c.from.open != c {
		return errors.New("read backup: these rows were read before")
	}
	c.from.open = nil
	byName := map[string]tables.Table{}
	for _, t := range c.tables {
		byName[t.Name] = t
	}
	sums := tables.SumsFor(c.tables)
	var t tables.Table
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		content, err := c.from.line()
		if err != nil {
			return err
		}
		if len(content) > 0 && content[0] == '[' && t.Name != "" {
			row, err := tables.Decode(t, content)
			if err != nil {
				return damaged(err)
			}
			sums[t.Name].Add(content)
			c.Bytes += int64(len(content))
			if err := do(t, row); err != nil {
				return err
			}
			continue
		}
		var l line
		if err := json.Unmarshal(content, &l); err != nil {
			return damaged(err)
		}
		var known bool
		switch {
		case l.Sums != nil:
			return c.compare(sums, l.Sums)
		case l.Table != "":
			t, known = byName[l.Table]
		}
		if !known {
			return damaged(errors.New("a line out of place"))
		}
	}
}

func (c *Content) compare(got tables.Sums, want map[string]sum) error {
	for name, s := range got {
		if w := want[name]; w.Rows != s.Rows || !bytes.Equal(w.SHA256, s.Digest[:]) {
			return damaged(fmt.Errorf("table %s has %d rows, %d or others expected", name, s.Rows, w.Rows))
		}
	}
	return nil
}
