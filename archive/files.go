package archive

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
)

// FilesAhead begins the files of a number: how many come and how many bytes they have at most,
// since one may be gone when its turn comes. Without says that media were left out on purpose.
type FilesAhead struct {
	Count   int   `json:"count"`
	Bytes   int64 `json:"bytes"`
	Without bool  `json:"without_media,omitempty"`
}

// File is one of them. Its name is none of a path, and neither is that of its folder.
type File struct {
	Folder string `json:"folder"`
	Name   string `json:"name"`
	Size   int64  `json:"size"`
}

// fileEnd follows the content of a file.
type fileEnd struct {
	SHA256 []byte `json:"sha256,omitempty"`
	Broken bool   `json:"broken,omitempty"` // it could not be read to its end
}

// filesEnd ends the files of a number, and says how many there are.
type filesEnd struct {
	Count int   `json:"count"`
	Bytes int64 `json:"bytes"`
}

// ErrBroken ends the content of a file that could not be read when the backup was written: it
// is as if it were not there.
var ErrBroken = errors.New("file could not be read when it was backed up")

// Plain tells whether the file's folder and name are plain names, which lead nowhere else.
func (f File) Plain() bool { return plain(f.Folder) && plain(f.Name) }

func plain(name string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	return name != "" && len(name) <= 255 && name[0] != '.' && strings.Trim(name, letters+"._-") == ""
}

// Files writes the files of a number, behind its databases. write calls add with each of them;
// add tells whether the file could be read to its end, and its error is one of writing.
func (a *Writer) Files(ahead FilesAhead, write func(add func(f File, content io.Reader) (whole bool, err error)) error) error {
	a.count.Files++
	// Nearly all of them are compressed already.
	if err := a.compress(gzip.NoCompression); err != nil {
		return err
	}
	if err := a.put(line{Files: &ahead}); err != nil {
		return err
	}
	var all filesEnd
	err := write(func(f File, content io.Reader) (bool, error) {
		if !f.Plain() || f.Size < 0 || all.Count == ahead.Count || f.Size > ahead.Bytes-all.Bytes {
			return false, fmt.Errorf("write backup: the file %q of %d bytes was not announced", f.Name, f.Size)
		}
		all.Count, all.Bytes = all.Count+1, all.Bytes+f.Size
		return a.file(f, content)
	})
	if err != nil {
		return err
	}
	return a.put(line{FilesEnd: &all})
}

func (a *Writer) file(f File, content io.Reader) (whole bool, err error) {
	if err := a.put(line{File: &f}); err != nil {
		return false, err
	}
	sum, from := sha256.New(), &source{Reader: content}
	n, err := io.CopyN(io.MultiWriter(sum, a.out), from, f.Size)
	end := fileEnd{SHA256: sum.Sum(nil)}
	if from.err != nil || errors.Is(err, io.EOF) { // its size has been said
		end = fileEnd{Broken: true}
		_, err = io.CopyN(a.out, zeros{}, f.Size-n)
	}
	if err != nil {
		return false, fmt.Errorf("write backup: %w", err)
	}
	return !end.Broken, a.put(line{FileEnd: &end})
}

// source remembers that it is what failed.
type source struct {
	io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// Files are the files of a number in a backup. They can be read once.
type Files struct {
	FilesAhead

	from *Reader
}

// Each calls do with one file after the other, whose content ends with io.EOF if it is what
// was written. What do leaves of it is read all the same, save after an error, which is
// returned. There are no more files and bytes than the beginning says.
func (f *Files) Each(ctx context.Context, do func(f File, content io.Reader) error) error {
	if f.from.files != f {
		return errors.New("read backup: these files were read before")
	}
	f.from.files = nil
	var all filesEnd
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		l, err := f.from.parsed()
		switch {
		case err != nil:
			return err
		case l.FilesEnd != nil && *l.FilesEnd == all:
			return nil
		case l.File == nil:
			return damaged(errors.New("a line out of place"))
		}
		next := *l.File
		if !next.Plain() || next.Size < 0 || all.Count >= f.Count || next.Size > f.Bytes-all.Bytes {
			return damaged(fmt.Errorf("a file %q of %d bytes that cannot be", next.Name, next.Size))
		}
		all.Count, all.Bytes = all.Count+1, all.Bytes+next.Size
		c := &content{ctx: ctx, from: f.from, left: next.Size, sum: sha256.New()}
		if err := do(next, c); err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, c); err != nil && !errors.Is(err, ErrBroken) {
			return err
		}
	}
}

// content is that of a file.
type content struct {
	ctx  context.Context
	from *Reader
	left int64
	sum  hash.Hash
	end  error // how it ended; nil before
}

func (c *content) Read(p []byte) (n int, err error) {
	switch {
	case c.end != nil:
		return 0, c.end
	case c.ctx.Err() != nil:
		return 0, c.ctx.Err()
	case c.left == 0:
		c.end = c.compare()
		return 0, c.end
	}
	n, err = c.from.in.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	c.sum.Write(p[:n])
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // the end comes after the last line
	}
	if err != nil {
		c.end = damaged(err)
	}
	return n, c.end
}

// compare reads what follows the content.
func (c *content) compare() error {
	l, err := c.from.parsed()
	switch {
	case err != nil:
		return err
	case l.FileEnd != nil && l.FileEnd.Broken:
		return ErrBroken
	case l.FileEnd == nil || !bytes.Equal(l.FileEnd.SHA256, c.sum.Sum(nil)):
		return damaged(errors.New("a file is not what was written"))
	}
	return io.EOF
}
