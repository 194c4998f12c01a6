package engine_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"switchboard/engine"
)

// What a database server may say or not say is told from the troubles of files and of other ports.
func TestAway(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, listens := net.Listen("tcp", port.Addr().String())
	_ = port.Close()
	_, refuses := net.Dial("tcp", port.Addr().String())
	_, socket := net.Dial("unix", filepath.Join(folder, "socket"))
	_, name := net.DefaultResolver.LookupHost(t.Context(), "nowhere.invalid")
	_, missing := os.Open(filepath.Join(folder, "file"))
	ended, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	for what, c := range map[string]struct {
		err  error
		away bool
	}{
		"refused":            {refuses, true},
		"no socket":          {socket, true},
		"no such name":       {name, true},
		"closed":             {net.ErrClosed, true},
		"in the middle":      {io.ErrUnexpectedEOF, true},
		"a bad connection":   {driver.ErrBadConn, true},
		"too slow":           {ended.Err(), true},
		"nothing":            {nil, false},
		"called off":         {context.Canceled, false},
		"another port":       {listens, false},
		"a missing file":     {missing, false},
		"a file in its way":  {os.Mkdir(folder, 0o700), false},
		"a name in its way":  {os.Rename(filepath.Join(folder, "a"), filepath.Join(folder, "b")), false},
		"nothing it can say": {errors.New("no"), false},
	} {
		if c.err != nil {
			c.err = fmt.Errorf("do something: %w", c.err)
		}
		if engine.Away(c.err) != c.away {
			t.Errorf("%s: %v counts as away: %v", what, c.err, !c.away)
		}
	}
}
