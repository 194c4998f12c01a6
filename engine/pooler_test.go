package engine_test

import (
	"errors"
	"testing"

	"switchboard/engine"
	"switchboard/isolation/pgtest"
)

func TestPooler(t *testing.T) {
	t.Parallel()
	if mode, err := engine.Pooler(t.Context(), pgtest.New(t).URI); mode != "" || err != nil {
		t.Errorf("without one: %q, %v", mode, err)
	}
	for _, want := range []string{"transaction", "session"} {
		if mode, err := engine.Pooler(t.Context(), pgtest.BouncerOf(t, pgtest.New(t), want).URI); mode != want || err != nil {
			t.Errorf("%s: %q, %v", want, mode, err)
		}
	}
	if mode, err := engine.Pooler(t.Context(), pgtest.BouncerOf(t, pgtest.New(t), "statement").URI); !errors.Is(err, engine.ErrStatements) {
		t.Errorf("statement: %q, %v", mode, err)
	}
}
