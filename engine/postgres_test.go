package engine_test

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"switchboard/engine"
	"switchboard/fault"
	"switchboard/isolation/pgtest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

var pool = engine.Pool{Open: 2, Idle: time.Second, Wait: 20 * time.Second}

func openPostgres(t *testing.T, uri string, pool engine.Pool) *sql.DB {
	t.Helper()
	db, err := engine.OpenPostgres(t.Context(), uri, pool)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// Every way of writing the same address leads to the same database.
func TestFormsOfAddresses(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	u, err := url.Parse(database.URI)
	if err != nil {
		t.Fatal(err)
	}
	super := openPostgres(t, database.SuperURI, pool)
	const odd = "a/b?c#d@e:f%g h&i"
	if _, err := super.ExecContext(t.Context(), `ALTER ROLE `+database.Tag+` PASSWORD '`+odd+`'`); err != nil {
		t.Fatal(err)
	}
	var socket string
	if err := super.QueryRowContext(t.Context(), `SELECT current_setting('unix_socket_directories')`).Scan(&socket); err != nil {
		t.Fatal(err)
	}
	login, port, q := url.UserPassword(database.Tag, odd).String(), u.Port(), url.QueryEscape
	for name, uri := range map[string]string{
		"ordinary":           "postgres://" + login + "@127.0.0.1:" + port + "/" + database.Tag,
		"postgresql":         "postgresql://" + login + "@127.0.0.1:" + port + "/" + database.Tag + "?sslmode=disable",
		"parameters":         "postgres://" + login + "@127.0.0.1:" + port + "/" + database.Tag + "?sslmode=prefer&application_name=my%20numbers&connect_timeout=5&search_path=public",
		"no database":        "postgres://" + login + "@127.0.0.1:" + port,
		"no database, slash": "postgres://" + login + "@127.0.0.1:" + port + "/?sslmode=disable",
		"several hosts":      "postgres://" + login + "@127.0.0.1:1,127.0.0.1:" + port + "/" + database.Tag + "?target_session_attrs=read-write",
		"socket":             "postgres://" + login + "@/" + database.Tag + "?host=" + q(socket) + "&port=" + port,
		"socket as host":     "postgres://" + login + "@" + q(socket) + ":" + port + "/" + database.Tag,
		"all in the query":   "postgres:///" + database.Tag + "?host=127.0.0.1&port=" + port + "&user=" + database.Tag + "&password=" + strings.ReplaceAll(q(odd), "+", "%20"),
	} {
		t.Run(name, func(t *testing.T) {
			var got string
			if err := openPostgres(t, uri, pool).QueryRowContext(t.Context(), `SELECT current_database()`).Scan(&got); err != nil || got != database.Tag {
				t.Fatalf("it leads to %q, %v", got, err)
			}
			other, err := engine.PostgresFor(uri, database.Tag, odd, "postgres")
			if err != nil {
				t.Fatal(err)
			}
			// The same server, and another database there, which this role may not enter.
			_, err = engine.OpenPostgres(t.Context(), other, pool)
			if fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.MessageOf(err), "does not open the database") {
				t.Errorf("another database: %v", err)
			}
		})
	}
}

func TestWhyAServerIsRefused(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	for uri, says := range map[string]string{
		strings.Replace(database.URI, ":test@", ":wrong@", 1):                      "refuses the login",
		strings.Replace(database.URI, "/"+database.Tag+"?", "/nowhere?", 1):        "does not open the database",
		"postgres://127.0.0.1:1/x":                                                 "does not answer",
		"postgres:///x?host=/nowhere":                                              "does not answer",
		strings.Replace(database.URI, "sslmode=disable", "sslmode=verify-full", 1): "speaks no TLS",
	} {
		_, err := engine.OpenPostgres(t.Context(), uri, engine.Pool{Open: 1})
		if fault.KindOf(err) != fault.Unavailable || !errors.Is(err, engine.ErrRefused) || !strings.Contains(fault.MessageOf(err), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
	for _, uri := range []string{"postgres://%zz", "postgres://h:port/x", "postgres://h/x?sslmode=maybe"} {
		_, err := engine.OpenPostgres(t.Context(), uri, pool)
		if fault.KindOf(err) != fault.Invalid || strings.Contains(fault.MessageOf(err), "zz") {
			t.Errorf("%s: %v", uri, err)
		}
	}
}

// away counts what a pool tells.
type away struct {
	is      atomic.Bool
	changed chan bool
}

func (a *away) tell(away bool) {
	if a.is.Swap(away) != away {
		a.changed <- away
	}
}

// A server that comes back is waited for; the handle is the same before and after.
func TestAnOutageIsWaitedFor(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	u, err := url.Parse(database.URI)
	if err != nil {
		t.Fatal(err)
	}
	gate := newGate(t, u.Host)
	u.Host = gate.addr
	told := &away{changed: make(chan bool, 10)}
	patient := pool
	patient.Away = told.tell
	db := openPostgres(t, u.String(), patient)
	gate.shut()
	asked := make(chan error, 3)
	for range 3 {
		go func() {
			var n int
			asked <- db.QueryRowContext(t.Context(), `SELECT 1`).Scan(&n)
		}()
	}
	if !<-told.changed {
		t.Fatal("it is told that the server is back, which was never away")
	}
	select {
	case err := <-asked:
		t.Fatalf("answered without a server: %v", err)
	default:
	}
	gate.open(t)
	for range 3 {
		if err := <-asked; err != nil {
			t.Errorf("after the outage: %v", err)
		}
	}
	if <-told.changed {
		t.Error("it is told that the server is away, after it came back")
	}
	// Whoever waits can be called off, and patience ends.
	gate.shut()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-told.changed
		cancel()
	}()
	if _, err := db.ExecContext(ctx, `SELECT 1`); err == nil || ctx.Err() == nil {
		t.Errorf("called off: %v", err)
	}
	gate.open(t)
	hasty := openPostgres(t, u.String(), engine.Pool{Open: 1})
	gate.shut()
	if _, err := hasty.ExecContext(t.Context(), `SELECT 1`); fault.KindOf(err) != fault.Unavailable || !engine.Away(err) {
		t.Errorf("without patience: %v", err)
	}
}

// Connections that were killed are noticed before they are used.
func TestKilledConnectionsAreReplaced(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	db := openPostgres(t, database.URI, engine.Pool{Open: 2, Idle: time.Minute, Wait: 20 * time.Second})
	super := openPostgres(t, database.SuperURI, pool)
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE "x" ("n" BIGINT)`); err != nil {
		t.Fatal(err)
	}
	for n := range 50 {
		if _, err := super.ExecContext(t.Context(), `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = $1`, database.Tag); err != nil {
			t.Fatal(err)
		}
		if n%2 == 0 {
			_, err := db.ExecContext(t.Context(), `INSERT INTO "x" VALUES ($1)`, n)
			if err != nil {
				t.Fatalf("kill %d: %v", n, err)
			}
			continue
		}
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatalf("kill %d: %v", n, err)
		}
		if _, err := tx.ExecContext(t.Context(), `INSERT INTO "x" VALUES ($1)`, n); err != nil {
			t.Fatalf("kill %d: %v", n, err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatalf("kill %d: %v", n, err)
		}
	}
	// In the middle of a transaction, whoever began it has to begin it again, and can tell.
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := super.ExecContext(t.Context(), `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = $1`, database.Tag); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), `INSERT INTO "x" VALUES (1)`); !engine.Away(err) {
		t.Errorf("in a transaction: %v", err)
	}
	_ = tx.Rollback()
	var count int
	if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM "x"`).Scan(&count); err != nil || count != 50 {
		t.Errorf("%d rows, %v", count, err)
	}
	if _, err := db.ExecContext(t.Context(), `SELECT 1/0`); err == nil || engine.Away(err) {
		t.Errorf("an error of the statement: %v", err)
	}
}

// gate stands before a server and can be shut.
type gate struct {
	addr, to string
	listener net.Listener
	all      chan net.Conn
}

func newGate(t *testing.T, to string) *gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{addr: l.Addr().String(), to: to, all: make(chan net.Conn, 1000)}
	g.serve(l)
	t.Cleanup(g.shut)
	return g
}

func (g *gate) serve(l net.Listener) {
	g.listener = l
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", g.to)
			if err != nil {
				_ = in.Close()
				continue
			}
			g.all <- in
			g.all <- out
			go pipe(in, out)
			go pipe(out, in)
		}
	}()
}

func pipe(to, from net.Conn) {
	defer to.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// shut refuses new connections and cuts those that there are.
func (g *gate) shut() {
	_ = g.listener.Close()
	for {
		select {
		case c := <-g.all:
			_ = c.Close()
		default:
			return
		}
	}
}

func (g *gate) open(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", g.addr)
	if err != nil {
		t.Fatal(err)
	}
	g.serve(l)
}
