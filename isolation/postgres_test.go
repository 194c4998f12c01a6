package isolation_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/isolation"
	"switchboard/isolation/isolationtest"
	"switchboard/isolation/pgtest"
	"switchboard/migrations"
)

func TestMain(m *testing.M) { isolationtest.Main(m, pgtest.Stop) }

func TestPostgres(t *testing.T) {
	t.Parallel()
	isolationtest.Exercise(t, newPostgres)
}

func newPostgres(t testing.TB) isolationtest.Place {
	t.Helper()
	database := pgtest.New(t)
	return isolationtest.Place{URI: database.URI, StorageDir: t.TempDir(), Tag: "_" + database.Tag}
}

func provisionAt(t *testing.T, d *isolation.Databases, id instances.ID) instances.Access {
	t.Helper()
	access, err := d.Provision(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return access
}

// connect returns nil if a login succeeds.
func connect(t *testing.T, uri string) error {
	t.Helper()
	db, err := sql.Open("pgx", uri)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	return db.PingContext(t.Context())
}

// into changes the database of a URI.
func into(t *testing.T, uri, database string) string {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + database
	return u.String()
}

// The address in the documentation of the move between engines has no parameters.
func TestAnAddressWithoutParameters(t *testing.T) {
	t.Parallel()
	place := newPostgres(t)
	place.URI, _, _ = strings.Cut(place.URI, "?")
	d := isolationtest.Open(t, place)
	id := place.ID("plain")
	access := provisionAt(t, d, id)
	for name, open := range map[string]func() (*sql.DB, error){
		"the panel":      func() (*sql.DB, error) { return d.ReadMain(t.Context(), id) },
		"the main half":  func() (*sql.DB, error) { return isolation.OpenReadOnly(t.Context(), access.Engine, access.Main) },
		"the other half": func() (*sql.DB, error) { return isolation.OpenReadOnly(t.Context(), access.Engine, access.Keys) },
	} {
		db, err := open()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var tables int
		if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_tables`).Scan(&tables); err != nil {
			t.Errorf("%s cannot read: %v", name, err)
		}
		if _, err := db.ExecContext(t.Context(), `CREATE TABLE "mine" ("a" integer)`); err == nil {
			t.Errorf("%s can write", name)
		}
		_ = db.Close()
	}
}

func TestCredentialsOpenTwoDatabasesAndNoOther(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	place := isolationtest.Place{URI: database.URI, StorageDir: t.TempDir(), Tag: "_" + database.Tag}
	d := isolationtest.Open(t, place)
	a, b := place.ID("a"), place.ID("b")
	access := provisionAt(t, d, a)
	provisionAt(t, d, b)
	for _, name := range []string{"whatsapp_" + string(a), "keys_" + string(a)} {
		if err := connect(t, into(t, access.Main, name)); err != nil {
			t.Errorf("its own %s: %v", name, err)
		}
	}
	for _, name := range []string{"whatsapp_" + string(b), "keys_" + string(b), database.Tag, "postgres", "template1", "template0"} {
		if err := connect(t, into(t, access.Main, name)); err == nil {
			t.Errorf("a number's credentials open %s", name)
		}
	}
	db := open(t, access)
	for _, statement := range []string{
		`CREATE DATABASE "mine"`, `CREATE ROLE "mine"`, `ALTER ROLE CURRENT_USER CREATEDB`, `ALTER ROLE CURRENT_USER CONNECTION LIMIT 99`,
		`SET ROLE ` + database.Tag, `GRANT "whatsapp_` + string(b) + `" TO CURRENT_USER`, `DROP DATABASE "keys_` + string(b) + `"`,
		`SELECT rolpassword FROM pg_authid`, `COPY (SELECT 1) TO PROGRAM 'true'`, `SELECT pg_read_file('PG_VERSION')`,
	} {
		if _, err := db.ExecContext(t.Context(), statement); err == nil {
			t.Errorf("a number's credentials can %s", statement)
		}
	}
	for _, dsn := range []string{access.Main, access.Keys} {
		u, err := url.Parse(dsn)
		if err != nil {
			t.Fatal(err)
		}
		if secret, _ := u.User.Password(); u.User.Username() != "whatsapp_"+string(a) || len(secret) < 20 {
			t.Errorf("the access logs in as %s with %d characters", u.User.Username(), len(secret))
		}
	}
}

func TestRoleWithoutPowersIsRefused(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	super, err := sql.Open("pgx", database.SuperURI)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = super.Close() }()
	if _, err := super.ExecContext(t.Context(), `ALTER ROLE `+database.Tag+` NOCREATEROLE`); err != nil {
		t.Fatal(err)
	}
	_, err = isolation.Open(t.Context(), database.URI, t.TempDir(), isolation.WithVault(noVault{}, noVault{}))
	if fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.MessageOf(err), `ALTER ROLE "`+database.Tag+`" CREATEDB CREATEROLE`) {
		t.Errorf("got %v", err)
	}
	if _, err := super.ExecContext(t.Context(), `ALTER ROLE `+database.Tag+` CREATEROLE; ALTER DATABASE `+database.Tag+` OWNER TO postgres`); err != nil {
		t.Fatal(err)
	}
	_, err = isolation.Open(t.Context(), database.URI, t.TempDir(), isolation.WithVault(noVault{}, noVault{}))
	if fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.MessageOf(err), "Every PostgreSQL user") {
		t.Errorf("with an open control database: %v", err)
	}
}

type noVault struct{}

func (noVault) KeepPassword(context.Context, instances.ID, []byte) ([]byte, error) {
	return nil, errors.New("not expected")
}
func (noVault) Password(context.Context, instances.ID) ([]byte, error) {
	return nil, errors.New("not expected")
}
func (noVault) ForgetPassword(context.Context, instances.ID) error { return errors.New("not expected") }
func (noVault) Seal([]byte) []byte                                 { return nil }
func (noVault) Open([]byte) ([]byte, error)                        { return nil, errors.New("not expected") }

// manager opens the control database as the panel's role.
func manager(t *testing.T, p isolationtest.Place) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", p.URI)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func run(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func TestDatabaseOfSomebodyElseIsLeftAlone(t *testing.T) {
	t.Parallel()
	p := newPostgres(t)
	d, id := isolationtest.Open(t, p), p.ID("taken")
	db := manager(t, p)
	run(t, db, `CREATE DATABASE "whatsapp_`+string(id)+`"`)
	if _, err := d.Provision(t.Context(), id); fault.KindOf(err) != fault.Conflict {
		t.Errorf("provisioning over it: %v", err)
	}
	if err := d.Drop(t.Context(), id); fault.KindOf(err) != fault.Conflict {
		t.Errorf("dropping it: %v", err)
	}
	if err := connect(t, into(t, p.URI, "whatsapp_"+string(id))); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// Two installations may share a server, and make a number of the same id.
// A dump that somebody brought back as this installation's user has no role of its own.
func TestDatabasesWithoutARoleAreUnknown(t *testing.T) {
	t.Parallel()
	p := newPostgres(t)
	d, id := isolationtest.Open(t, p), p.ID("left")
	names := d.Names(id)
	db := manager(t, p)
	for _, name := range []string{names.Main, names.Keys} {
		run(t, db, `CREATE DATABASE "`+name+`"`)
		defer run(t, db, `DROP DATABASE "`+name+`"`)
	}
	left, err := d.Unknown(t.Context(), nil)
	if err != nil || len(left) != 1 || left[0].ID != id || left[0].Bytes < 2*7_000_000 {
		t.Errorf("unknown are %+v, %v", left, err)
	}
	if left, err := d.Unknown(t.Context(), []instances.ID{id}); err != nil || len(left) > 0 {
		t.Errorf("known, and still unknown: %+v, %v", left, err)
	}
}

func TestNumberOfAnotherInstallationIsLeftAlone(t *testing.T) {
	t.Parallel()
	p := newPostgres(t)
	d, id := isolationtest.Open(t, p), p.ID("shop")
	access := provisionAt(t, d, id)
	second := "second" + p.Tag
	run(t, manager(t, p), `CREATE DATABASE "`+second+`"`)
	p.URI, p.StorageDir = into(t, p.URI, second), t.TempDir()
	other := isolationtest.Open(t, p)
	if _, err := other.Provision(t.Context(), id); fault.KindOf(err) != fault.Conflict || !strings.Contains(fault.MessageOf(err), string(id)) {
		t.Errorf("making it once more: %v", err)
	}
	if left, err := other.Unknown(t.Context(), nil); err != nil || len(left) > 0 {
		t.Errorf("the other installation calls %v unknown, %v", left, err)
	}
	if err := other.Drop(t.Context(), id); err != nil {
		t.Errorf("dropping what is not there: %v", err)
	}
	open(t, access)
	if again := provisionAt(t, d, id); again != access {
		t.Error("it has another password afterwards")
	}
}

func TestLostDatabaseIsNotReplaced(t *testing.T) {
	t.Parallel()
	p := newPostgres(t)
	d := isolationtest.Open(t, p)
	db := manager(t, p)
	for _, prefix := range []string{"whatsapp_", "keys_"} {
		id := p.ID("lost")
		provisionAt(t, d, id)
		run(t, db, `DROP DATABASE "`+prefix+string(id)+`" WITH (FORCE)`)
		_, err := d.Provision(t.Context(), id)
		if fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.MessageOf(err), prefix+string(id)+" is gone") {
			t.Errorf("provisioning gives %v", err)
		}
		if err := d.Drop(t.Context(), id); err != nil {
			t.Errorf("dropping gives %v", err)
		}
	}
}

func TestLostPasswordIsReplaced(t *testing.T) {
	t.Parallel()
	p := newPostgres(t)
	d, id := isolationtest.Open(t, p), p.ID("shop")
	before := provisionAt(t, d, id)
	run(t, manager(t, p), `DELETE FROM "database_passwords"`)
	after := provisionAt(t, d, id)
	if after == before {
		t.Error("the password is the same")
	}
	open(t, after)
	if err := connect(t, before.Main); err == nil {
		t.Error("the old password still opens the database")
	}
}

// A number that does nothing holds nothing of the server.
func TestIdleConnectionsAreGivenBack(t *testing.T) {
	t.Parallel()
	p := newPostgres(t)
	d, id := isolationtest.Open(t, p), p.ID("shop")
	access := provisionAt(t, d, id)
	main := open(t, access)
	keys, dialect, err := isolation.OpenKeys(t.Context(), access)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = keys.Close() }()
	if dialect != "postgres" {
		t.Errorf("dialect %q", dialect)
	}
	db := manager(t, p)
	count := func() (n int) {
		t.Helper()
		err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE usename = $1`, "whatsapp_"+string(id)).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	burst := make(chan error)
	for range 20 {
		go func() {
			_, err := main.ExecContext(t.Context(), `SELECT pg_sleep(0.02)`)
			burst <- err
		}()
	}
	for range 20 {
		if err := <-burst; err != nil {
			t.Error(err)
		}
	}
	if n := count(); n < 1 || n > 3 {
		t.Errorf("%d connections under load", n)
	}
	deadline := time.After(time.Minute)
	for tick := time.NewTicker(50 * time.Millisecond); count() > 0; {
		select {
		case <-deadline:
			t.Fatalf("%d connections are still there", count())
		case <-tick.C:
		}
	}
	run(t, main, `SELECT 1`) // and it works again
}

// A server without a free connection slows us down, and fails nothing.
func TestTooManyConnectionsAreWaitedFor(t *testing.T) {
	t.Parallel()
	p := newPostgres(t)
	d, id := isolationtest.Open(t, p), p.ID("shop")
	access := provisionAt(t, d, id)
	hog, err := sql.Open("pgx", access.Keys)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = hog.Close() }()
	for {
		if _, err := hog.Conn(t.Context()); err != nil {
			break // the role has all that it may have
		}
	}
	opened := make(chan error)
	go func() {
		db, err := isolation.OpenMain(t.Context(), access)
		if err == nil {
			err = db.Close()
		}
		opened <- err
	}()
	select {
	case err := <-opened:
		t.Fatalf("opened with no connection left: %v", err)
	case <-time.After(200 * time.Millisecond): // nothing tells that somebody waits
	}
	if _, err := manager(t, p).ExecContext(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1`, "whatsapp_"+string(id)); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Errorf("after connections came free: %v", err)
	}
}

// What a new number costs before its worker starts.
func BenchmarkProvision(b *testing.B) {
	for name, newPlace := range map[string]func(testing.TB) isolationtest.Place{"sqlite": newSQLite, "postgres": newPostgres} {
		b.Run(name, func(b *testing.B) {
			p := newPlace(b)
			d := isolationtest.Open(b, p)
			for n := 0; b.Loop(); n++ {
				if _, err := d.Provision(b.Context(), p.ID(fmt.Sprint("n", n))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestLostDatabaseOnTheServer is about what was provisioned once: it is not made anew.
func TestLostDatabaseOnTheServer(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	place := isolationtest.Place{URI: database.URI, StorageDir: t.TempDir(), Tag: "_" + database.Tag}
	d := isolationtest.Open(t, place)
	number := place.ID("a")
	access := provisionAt(t, d, number)
	if again, err := d.Access(t.Context(), number); err != nil || again != access {
		t.Fatalf("before the loss: %v", err)
	}
	super, err := sql.Open("pgx", database.SuperURI)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = super.Close() }()
	for _, name := range []string{"keys_" + string(number), "whatsapp_" + string(number)} {
		if _, err := super.ExecContext(t.Context(), `DROP DATABASE "`+name+`" WITH (FORCE)`); err != nil {
			t.Fatal(err)
		}
		_, err := d.Access(t.Context(), number)
		if !errors.Is(err, instances.ErrLost) || !strings.Contains(fault.MessageOf(err), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	var left int
	if err := super.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_database WHERE datname LIKE '%' || $1`, string(number)).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d databases were made, %v", left, err)
	}
}

// The server ends a connection in the middle of making a number's databases, as when it is
// restarted. They are made when it is back, and no person has to ask for it.
func TestAServerThatGoesAwayWhileDatabasesAreMade(t *testing.T) {
	t.Parallel()
	place := newPostgres(t)
	databases := isolationtest.Open(t, place)
	id := place.ID("interrupted")
	access := provisionAt(t, databases, id)
	if err := pgtest.Interrupt(t, access.Main, migrations.Table, func() error {
		_, err := databases.Provision(t.Context(), id)
		return err
	}); err != nil {
		t.Error(err)
	}
}
