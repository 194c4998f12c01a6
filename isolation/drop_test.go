package isolation_test

import (
	"database/sql"
	"testing"

	"switchboard/instances"
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
