package isolation_test

import (
	"context"
	"database/sql"
	"log/slog"
	"sync"
	"testing"

	"switchboard/instances"
	"switchboard/isolation"
	"switchboard/isolation/isolationtest"
	"switchboard/isolation/pgtest"
)

// Nobody can end the connection of a superuser, who may be PgBouncer looking a password up.
// What can be done is to let no other in, and to wait.
func TestDroppingWaitsForASuperuser(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	place := isolationtest.Place{URI: database.URI, StorageDir: t.TempDir(), Tag: "_" + database.Tag}
	d, id := isolationtest.Open(t, place), place.ID("watched")
	provisionAt(t, d, id)
	name := "whatsapp_" + string(id)
	super, err := sql.Open("pgx", into(t, database.SuperURI, name))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = super.Close() }()
	watching, err := super.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dropped := make(chan error)
	go func(id instances.ID) { dropped <- d.Drop(t.Context(), id) }(id)
	for open := true; open; { // until it found that it has to wait
		if err := watching.QueryRowContext(t.Context(), `SELECT datallowconn FROM pg_database WHERE datname = $1`, name).Scan(&open); err != nil {
			t.Fatal(err)
		}
	}
	if err := super.PingContext(t.Context()); err == nil {
		t.Error("another connection is let in")
	}
	_ = watching.Close()
	_ = super.Close()
	if err := <-dropped; err != nil {
		t.Fatal(err)
	}
	if err := connect(t, into(t, database.SuperURI, name)); err == nil {
		t.Error("the database is still there")
	}
}

// What a process that was killed had asked for, the server may still be making when the next one drops it.
func TestDroppingWhatIsBeingMade(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	place := isolationtest.Place{URI: database.URI, StorageDir: t.TempDir(), Tag: "_" + database.Tag}
	id := place.ID("late")
	name := "whatsapp_" + string(id)
	super, err := sql.Open("pgx", database.SuperURI)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = super.Close() }()
	late := sync.OnceFunc(func() {
		if _, err := super.ExecContext(t.Context(), `CREATE DATABASE "`+name+`" OWNER "`+name+`" TEMPLATE template0`); err != nil {
			t.Error(err)
		}
	})
	d := isolationtest.Open(t, place, isolation.WithLog(slog.New(onStep(func(step string) {
		if step == "keys_"+string(id)+" dropped" {
			late()
		}
	}))))
	provisionAt(t, d, id)
	if err := d.Drop(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if err := connect(t, into(t, database.SuperURI, name)); err == nil {
		t.Error("the database is still there")
	}
}

// onStep is told each step of what is done to databases.
type onStep func(step string)

func (f onStep) Enabled(context.Context, slog.Level) bool { return true }
func (f onStep) WithAttrs([]slog.Attr) slog.Handler       { return f }
func (f onStep) WithGroup(string) slog.Handler            { return f }
func (f onStep) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "step" {
			f(a.Value.String())
		}
		return true
	})
	return nil
}
