package sinkstest

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// NATS is a server with JetStream.
type NATS struct {
	process
	port   string
	secure bool
}

const natsConfig = `
host: 127.0.0.1
port: %s
jetstream { store_dir: %q }
authorization {
	users: [
		{ user: guest, password: %q }
		{ user: mute, password: %q, permissions: { publish: "nothing", subscribe: "_INBOX.>" } }
	]
}
`

// NewNATS starts a server, one that speaks nothing but TLS if secure is set.
func NewNATS(t testing.TB, secure bool) *NATS {
	t.Helper()
	program := find(t, "nats-server", "/usr/sbin/nats-server", "nats-server")
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	s := &NATS{port: freePort(t), secure: secure}
	config := fmt.Sprintf(natsConfig, s.port, at("store"), Password, Password)
	if secure {
		certificate, key := Certificate(t)
		write(t, at("certificate"), certificate)
		write(t, at("key"), key)
		config += fmt.Sprintf("tls { cert_file: %q, key_file: %q }\n", at("certificate"), at("key"))
	}
	write(t, at("config"), config)
	s.process = process{t: t, dir: dir, command: func() *exec.Cmd { return exec.Command(program, "-c", at("config")) }}
	s.Start()
	t.Cleanup(s.Kill)
	return s
}

// Start starts the server, again after a Kill, and waits until it answers.
func (s *NATS) Start() {
	s.t.Helper()
	s.start()
	s.await(func() error {
		conn, err := s.dial()
		if err == nil {
			conn.Close()
		}
		return err
	})
}

func (s *NATS) dial() (*nats.Conn, error) {
	if s.secure {
		return nats.Connect(s.URL("guest"), nats.RootCAs(filepath.Join(s.dir, "certificate")))
	}
	return nats.Connect(s.URL("guest"))
}

// URL is the server's address for a user: "guest", or "mute", who may publish nothing.
func (s *NATS) URL(user string) string {
	scheme := "nats"
	if s.secure {
		scheme = "tls"
	}
	return scheme + "://" + user + ":" + Password + "@127.0.0.1:" + s.port
}

// Stream makes a stream.
func (s *NATS) Stream(name string, subjects ...string) {
	s.t.Helper()
	s.use(func(js jetstream.JetStream) error {
		_, err := js.CreateStream(s.t.Context(), jetstream.StreamConfig{Name: name, Subjects: subjects, MaxMsgSize: 64 << 10})
		return err
	})
}

// Read returns everything that is in a stream.
func (s *NATS) Read(name string) (all []jetstream.Msg) {
	s.t.Helper()
	s.use(func(js jetstream.JetStream) error {
		stream, err := js.Stream(s.t.Context(), name)
		if err != nil || stream.CachedInfo().State.Msgs == 0 {
			return err
		}
		consumer, err := stream.OrderedConsumer(s.t.Context(), jetstream.OrderedConsumerConfig{})
		if err != nil {
			return err
		}
		for range stream.CachedInfo().State.Msgs {
			m, err := consumer.Next()
			if err != nil {
				return err
			}
			all = append(all, m)
		}
		return nil
	})
	return all
}

func (s *NATS) use(do func(jetstream.JetStream) error) {
	s.t.Helper()
	conn, err := s.dial()
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err == nil {
		err = do(js)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}
