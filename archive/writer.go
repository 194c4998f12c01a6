package archive

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"switchboard/tables"
)

// Writer writes one backup. It is not safe for concurrent use.
type Writer struct {
	sealed io.WriteCloser
	zipped *gzip.Writer
	level  int // of compression
	out    *bufio.Writer
	count  complete
}

// NewWriter begins a backup on w. Nothing of it counts before Close has returned nil.
func NewWriter(w io.Writer, k Key, h Header) (*Writer, error) {
	sealed, err := k.encrypt(w)
	if err != nil {
		return nil, err
	}
	zipped := gzip.NewWriter(sealed)
	a := &Writer{sealed: sealed, zipped: zipped, level: gzip.DefaultCompression, out: bufio.NewWriter(zipped)}
	h.Magic, h.Format = magic, Format
	return a, a.put(h)
}

// compress has what follows compressed in another way, as another member of the gzip file:
// whoever unpacks it sees one content.
func (a *Writer) compress(level int) error {
	if level == a.level {
		return nil
	}
	err := errors.Join(a.out.Flush(), a.zipped.Close())
	if err == nil {
		a.level = level
		a.zipped, err = gzip.NewWriterLevel(a.sealed, level)
	}
	if err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	a.out.Reset(a.zipped)
	return nil
}

// Number begins a number; its databases follow, and then its files.
func (a *Writer) Number(n Number) error {
	a.count.Numbers++
	if err := a.compress(gzip.DefaultCompression); err != nil {
		return err
	}
	return a.put(line{Number: &n})
}

// Database writes the content of a database and returns its sums.
func (a *Writer) Database(ctx context.Context, part string, version int64, c tables.Content) (tables.Sums, error) {
	a.count.Databases++
	if err := a.put(line{Database: &Database{part, version, c.Tables()}}); err != nil {
		return nil, err
	}
	sums := tables.SumsFor(c.Tables())
	current := ""
	err := c.Each(ctx, func(t tables.Table, row []any) error {
		if t.Name != current {
			current = t.Name
			if err := a.put(line{Table: current}); err != nil {
				return err
			}
		}
		encoded := tables.Encode(t, row)
		sums[t.Name].Add(encoded)
		return a.raw(encoded)
	})
	if err != nil {
		return nil, err
	}
	end := line{Sums: map[string]sum{}}
	for name, s := range sums {
		end.Sums[name] = sum{s.Rows, s.Digest[:]}
	}
	// Without tables there would be nothing that ends the section.
	if len(end.Sums) == 0 {
		end.Sums[""] = sum{}
	}
	return sums, a.put(end)
}

// Close completes the backup. It does not close the writer below.
func (a *Writer) Close() error {
	err := a.put(line{Complete: &a.count})
	err = errors.Join(err, a.out.Flush(), a.zipped.Close(), a.sealed.Close())
	if err != nil {
		return fmt.Errorf("complete backup: %w", err)
	}
	return nil
}

func (a *Writer) put(v any) error {
	encoded, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	return a.raw(encoded)
}

func (a *Writer) raw(encoded []byte) error {
	if _, err := a.out.Write(encoded); err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	if err := a.out.WriteByte('\n'); err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	return nil
}
