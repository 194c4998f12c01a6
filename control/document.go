package control

import (
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"path/filepath"
	"strings"

	"switchboard/fault"
)

// ReadStartDocument reads and checks the one JSON object on a worker's standard input. An
// error is a fault that names everything that is missing; it never repeats a value, since
// values may be secrets.
func ReadStartDocument(r io.Reader) (StartDocument, error) {
	var doc StartDocument
	text, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	switch {
	case err != nil:
		return doc, fault.Wrap(fault.Invalid, "The start document cannot be read from standard input.", err)
	case len(text) == 0:
		return doc, fault.New(fault.Invalid, "There is no start document on standard input. Workers are started by \"switchboard serve\", not by hand.")
	case len(text) > maxDocument:
		return doc, fault.New(fault.Invalid, "The start document is longer than 1 MiB.")
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return StartDocument{}, fault.Wrap(fault.Invalid, "The start document on standard input is not the JSON object that it has to be.", err)
	}
	if wrong := doc.faults(); len(wrong) > 0 {
		return StartDocument{}, fault.New(fault.Invalid, "The start document is not complete: "+strings.Join(wrong, ", ")+".")
	}
	return doc, nil
}

func (d StartDocument) faults() (wrong []string) {
	check := func(ok bool, what string) {
		if !ok {
			wrong = append(wrong, what)
		}
	}
	_, _, listenErr := net.SplitHostPort(d.Listen)
	check(d.ID.Valid(), "id is missing or malformed")
	check(filepath.IsAbs(d.Dir), "dir is not an absolute path")
	check(listenErr == nil, "listen is not host:port")
	check(len(d.Token) >= 32, "token is missing or short")
	check(d.Database.Engine != "", "database.engine is missing")
	check(d.Database.Main != "", "database.main is missing")
	check(d.Database.Keys != "", "database.keys is missing")
	if s := d.Simulator; s != nil {
		key, err := hex.DecodeString(s.RootKey)
		_, _, addrErr := net.SplitHostPort(s.Addr)
		check(addrErr == nil, "simulator.addr is not host:port")
		check(err == nil && len(key) == 32, "simulator.root_key is not 32 bytes in hex")
	}
	switch d.LogLevel {
	case "", "debug", "info", "warn", "error":
	default:
		check(false, "log_level is not debug, info, warn or error")
	}
	return wrong
}
