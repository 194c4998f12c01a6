package main

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
)

// TestMail sends an invitation to a mail server that writes down what it is told.
func TestMail(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	got := make(chan string, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		var all strings.Builder
		say := func(line string) { fmt.Fprint(conn, line+"\r\n") }
		say("220 test")
		lines, data := bufio.NewScanner(conn), false
		for lines.Scan() {
			line := lines.Text()
			all.WriteString(line + "\n")
			switch {
			case data && line == ".":
				data = false
				say("250 taken")
			case data:
			case strings.HasPrefix(line, "EHLO"):
				say("250 test")
			case line == "DATA":
				data = true
				say("354 go on")
			case line == "QUIT":
				say("221 bye")
				got <- all.String()
				return
			default:
				say("250 ok")
			}
		}
	}()
	m := mailer{mailConfig{Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port, TLS: "none", From: "Switchboard <numbers@example.com>"}}
	if err := m.Send(t.Context(), "grace@example.org", "Your account", "Open https://panel.example/welcome/x\n"); err != nil {
		t.Fatal(err)
	}
	text := <-got
	for _, want := range []string{"MAIL FROM:<numbers@example.com>", "RCPT TO:<grace@example.org>", "Subject: Your account", "https://panel.example/welcome/x"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if err := m.Send(t.Context(), "grace@example.org\r\nRCPT TO:<eve@example.org>", "x", "x"); err == nil {
		t.Error("an address with a line break is taken")
	}
	m.TLS = "starttls"
	if err := m.Send(t.Context(), "grace@example.org", "x", "x"); err == nil {
		t.Error("a server without TLS is taken although TLS is asked for")
	}
}
