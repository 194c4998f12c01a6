package main

import (
	"bytes"
	"flag"
	"io"
	"os"
	"unicode/utf8"

	"switchboard/archive"
	"switchboard/moving"
)

// passphrase is what a backup is encrypted with. It is never an argument, which every user
// of the machine could read.
type passphrase struct {
	stdin bool
	file  string
}

func (p *passphrase) flags(f *flag.FlagSet) {
	f.BoolVar(&p.stdin, "passphrase-stdin", false, "read the passphrase from standard input")
	f.StringVar(&p.file, "passphrase-file", "", "`file` that holds the passphrase")
}

// read returns the key; a line break at the end of the passphrase does not count.
func (p *passphrase) read(env environment, name string, fresh bool) (archive.Key, error) {
	var content []byte
	var err error
	switch {
	case p.stdin == (p.file != ""):
		return archive.Key{}, refuse("`switchboard %s` needs either --passphrase-stdin or --passphrase-file.", name)
	case p.stdin:
		content, err = io.ReadAll(io.LimitReader(env.stdin, 4096))
	default:
		content, err = os.ReadFile(p.file)
	}
	if err != nil {
		return archive.Key{}, refuse("The passphrase cannot be read: %s.", reasonOf(err))
	}
	content = bytes.TrimRight(content, "\r\n")
	switch {
	case len(content) == 0 || bytes.ContainsAny(content, "\r\n"):
		return archive.Key{}, refuse("The passphrase has to stand alone, on one line.")
	case fresh && utf8.RuneCount(content) < moving.MinPassphrase:
		return archive.Key{}, refuse("The passphrase is shorter than %d characters. Whoever guesses it has the numbers; make one with: openssl rand -base64 24", moving.MinPassphrase)
	}
	return archive.Passphrase(string(content)), nil
}
