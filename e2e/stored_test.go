package e2e

import (
	"context"
	"database/sql"
	"math"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"switchboard/engine"
	"switchboard/messages"
)

// stored reads what a number has kept, beside its worker.
func (p *panel) stored(inst instance) []messages.Message {
	p.t.Helper()
	ctx := within(p.t, patience)
	open := engine.At(filepath.Join(p.folder(inst.ID), inst.Database.Main)).OpenReadOnly
	for _, v := range p.vars {
		if uri, found := strings.CutPrefix(v, "DB_URI=postgres"); found {
			open = func(ctx context.Context) (*sql.DB, error) {
				u, err := url.Parse("postgres" + uri)
				if err != nil {
					return nil, err
				}
				u.Path = "/" + inst.Database.Main // which the panel's role may enter
				return engine.OpenPostgres(ctx, u.String(), engine.Pool{Open: 1, Wait: patience})
			}
		}
	}
	db, err := open(ctx)
	if err != nil {
		p.t.Fatal(err)
	}
	defer db.Close()
	all, err := messages.New(db).Latest(ctx, math.MaxInt32)
	if err != nil {
		p.t.Fatal(err)
	}
	return all
}

// talk is what was said in one chat: how often each text was stored, by direction.
type talk struct {
	in, out       map[string]int
	undecryptable int
}

func (p *panel) talk(inst instance) talk {
	p.t.Helper()
	said := talk{in: make(map[string]int), out: make(map[string]int)}
	for _, m := range p.stored(inst) {
		switch {
		case m.Kind == messages.Undecryptable:
			said.undecryptable++
		case m.FromMe:
			said.out[m.Text]++
		default:
			said.in[m.Text]++
		}
	}
	return said
}

// once complains about every text that is not there exactly once.
func once(t testing.TB, what string, got map[string]int, want []string) {
	t.Helper()
	wrong := 0
	for _, text := range want {
		if got[text] != 1 {
			if wrong++; wrong <= 5 {
				t.Errorf("%s: %q is there %d times", what, text, got[text])
			}
		}
	}
	if wrong > 5 {
		t.Errorf("%s: %d of %d texts are not there once", what, wrong, len(want))
	}
}
