package processes

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"switchboard/control"
)

// A worker writes its log itself. What still reaches its standard output and error are the
// last words of the Go runtime and of C libraries. They go straight into a file, so that
// they survive the panel.
const (
	outputName = "output.log"
	outputOld  = "output.old.log" // of the worker before

	outputMax  = 256 << 10 // bytes; looked at every sizeCheck
	outputKept = 64 << 10  // … of which so many are kept: a half from the beginning, a half from the end

	linesKept = 50
	lineMax   = 500 // bytes
)

// freshOutput opens an empty output file in dir and keeps one old one.
func freshOutput(dir string) (*os.File, error) {
	name := filepath.Join(dir, outputName)
	if err := os.Rename(name, filepath.Join(dir, outputOld)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	// Appending makes every write go to the present end, also after trimOutput.
	return os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
}

// trimOutput cuts the middle out of the output in dir when it has grown too long. The
// beginning is where the Go runtime says why it gave up, before it lists every goroutine.
// Words that are written in that very moment may be lost.
func trimOutput(dir string) {
	name := filepath.Join(dir, outputName)
	info, err := os.Lstat(name)
	if err != nil || info.Size() <= outputMax {
		return
	}
	end := tail(name, outputKept/2)
	if os.Truncate(name, outputKept/2) != nil {
		return
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = f.Write(end)
}

// tail returns the last n bytes of a file, or what can be read of them.
func tail(name string, n int64) []byte {
	f, err := os.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil
	}
	text := make([]byte, min(n, size))
	read, err := f.ReadAt(text, size-int64(len(text)))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil
	}
	return text[:read]
}

// lines returns the lines in the last n bytes of a file, fit to be shown.
func lines(name string, n int64) []string {
	var all []string
	for line := range strings.Lines(string(tail(name, n))) {
		line = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) && r != '\t' {
				return -1
			}
			return r
		}, strings.ToValidUTF8(line, "?"))
		if line != "" {
			all = append(all, strings.ToValidUTF8(line[:min(len(line), lineMax)], ""))
		}
	}
	return all
}

// printed returns what the worker printed beside its log.
func printed(dir string) []string { return lines(filepath.Join(dir, outputName), outputMax) }

// trace returns the index of the line where the Go runtime begins to explain a crash, or -1.
func trace(said []string) int {
	for i, line := range said {
		for _, start := range []string{"panic: ", "fatal error: ", "runtime: ", "SIG"} {
			if strings.HasPrefix(line, start) {
				return i
			}
		}
	}
	return -1
}

// lastLines returns at most linesKept lines: the end of the worker's log, then what it
// printed. Of a crash the beginning is kept, which says what happened.
func lastLines(dir string, said []string) []string {
	if i := trace(said); i >= 0 {
		said = said[i:]
		said = said[:min(len(said), linesKept/2)]
	}
	all := append(lines(filepath.Join(dir, control.LogName), outputKept), said...)
	return all[max(0, len(all)-linesKept):]
}
