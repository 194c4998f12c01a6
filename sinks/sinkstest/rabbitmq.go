package sinkstest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Password of the brokers' user, "guest" at RabbitMQ.
const Password = "sesame-open"

// RabbitMQ is a broker.
type RabbitMQ struct {
	process
	names *process // Erlang's service of names, without which no node starts
	port  string
	tls   string
	vars  []string // of its programs
}

const rabbitConfig = `
listeners.tcp.1 = 127.0.0.1:%s
listeners.ssl.1 = 127.0.0.1:%s
ssl_options.certfile = %s
ssl_options.keyfile = %s
default_pass = %s
log.console = true
log.file = false
disk_free_limit.absolute = 1MB
`

// NewRabbitMQ starts a broker.
func NewRabbitMQ(t testing.TB) *RabbitMQ {
	t.Helper()
	// Debian's command changes the user and needs folders of the system; what it calls does not.
	program := find(t, "rabbitmq-server", "/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server")
	dir := t.TempDir()
	b := &RabbitMQ{port: freePort(t), tls: freePort(t)}
	epmd, distribution := freePort(t), freePort(t)
	names := append(os.Environ(), "ERL_EPMD_PORT="+epmd, "ERL_EPMD_ADDRESS=127.0.0.1")
	b.names = &process{t: t, dir: t.TempDir(), command: func() *exec.Cmd {
		cmd := exec.Command("epmd")
		cmd.Env = names
		return cmd
	}}
	b.names.start()
	t.Cleanup(b.names.Kill)

	at := func(name string) string { return filepath.Join(dir, name) }
	certificate, key := Certificate(t)
	write(t, at("certificate"), certificate)
	write(t, at("key"), key)
	write(t, at("rabbitmq.conf"), fmt.Sprintf(rabbitConfig, b.port, b.tls, at("certificate"), at("key"), Password))
	b.process = process{t: t, dir: dir, command: func() *exec.Cmd {
		cmd := exec.Command(program)
		cmd.Env = slices.Concat(b.vars, []string{"detached=1"}) // so that the script becomes the server
		return cmd
	}}
	b.vars = slices.Concat(names, []string{
		"HOME=" + dir, "RABBITMQ_CONF_ENV_FILE=/dev/null", "RABBITMQ_NODENAME=t" + b.port + "@localhost",
		"RABBITMQ_CONFIG_FILE=" + at("rabbitmq.conf"), "RABBITMQ_ENABLED_PLUGINS_FILE=" + at("plugins"), "RABBITMQ_MNESIA_BASE=" + at("mnesia"),
		"RABBITMQ_LOG_BASE=" + at("logs"), "RABBITMQ_GENERATED_CONFIG_DIR=" + at("generated"), "RABBITMQ_DIST_PORT=" + distribution,
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=+S 1:1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
	})
	b.Start()
	t.Cleanup(func() { b.Kill() })
	return b
}

// Start starts the broker, again after a Kill, and waits until it answers.
func (b *RabbitMQ) Start() {
	b.t.Helper()
	b.start()
	b.await(func() error {
		conn, err := amqp.Dial(b.URL())
		if err == nil {
			err = conn.Close()
		}
		return err
	})
}

// Fill makes the broker think that its disk is full, or that it is not.
func (b *RabbitMQ) Fill(full bool) {
	b.t.Helper()
	limit := "1000000"
	if full {
		limit = "1000000000000000"
	}
	cmd := exec.Command(find(b.t, "rabbitmqctl", "/usr/lib/rabbitmq/bin/rabbitmqctl", "rabbitmq-server"), "set_disk_free_limit", limit)
	cmd.Env = b.vars
	if out, err := cmd.CombinedOutput(); err != nil {
		b.t.Fatalf("rabbitmqctl: %v: %s", err, out)
	}
}

// URL is the broker's address, with its password.
func (b *RabbitMQ) URL() string { return "amqp://guest:" + Password + "@127.0.0.1:" + b.port + "/" }

// SecureURL is the same with TLS, and a certificate that nobody knows.
func (b *RabbitMQ) SecureURL() string {
	return "amqps://guest:" + Password + "@127.0.0.1:" + b.tls + "/"
}

// Queue makes a queue that survives a restart, binds it to an exchange, unless that is "",
// and returns what comes to it, to be acknowledged. It is to be called again after a restart,
// which changes nothing about the queue.
func (b *RabbitMQ) Queue(name, exchange, key string) <-chan amqp.Delivery {
	b.t.Helper()
	conn, err := amqp.Dial(b.URL())
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := ch.QueueDeclare(name, true, false, false, false, nil); err != nil {
		b.t.Fatal(err)
	}
	if exchange != "" {
		if err := ch.QueueBind(name, key, exchange, false, nil); err != nil {
			b.t.Fatal(err)
		}
	}
	comes, err := ch.Consume(name, "", false, false, false, false, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return comes
}
