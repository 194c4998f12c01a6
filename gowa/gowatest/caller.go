package gowatest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
)

// Caller asks an API by HTTP/1.1 over connections that stay, and spends as little on it as it
// can: a benchmark that ran net/http's client would measure that as well.
type Caller struct {
	Addr   string // host and port
	Header string // lines of every request's, each with its end; may be empty

	idle chan *connection
}

type connection struct {
	net.Conn
	in *textproto.Reader
}

// NewCaller returns one that keeps up to so many connections.
func NewCaller(addr, header string, flying int) *Caller {
	return &Caller{Addr: addr, Header: header, idle: make(chan *connection, flying)}
}

// Post sends JSON and returns the answer's body; an answer that is not 200 is an error.
func (c *Caller) Post(ctx context.Context, path, body string) ([]byte, error) {
	var conn *connection
	select {
	case conn = <-c.idle:
	default:
		dialled, err := new(net.Dialer).DialContext(ctx, "tcp", c.Addr)
		if err != nil {
			return nil, err
		}
		conn = &connection{dialled, textproto.NewReader(bufio.NewReader(dialled))}
	}
	answer, err := c.ask(conn, path, body)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	select {
	case c.idle <- conn:
	default:
		_ = conn.Close()
	}
	return answer, nil
}

func (c *Caller) ask(conn *connection, path, body string) ([]byte, error) {
	request := "POST " + path + " HTTP/1.1\r\nHost: " + c.Addr + "\r\nContent-Type: application/json\r\nContent-Length: " +
		strconv.Itoa(len(body)) + "\r\n" + c.Header + "\r\n" + body
	if _, err := io.WriteString(conn, request); err != nil {
		return nil, err
	}
	status, err := conn.in.ReadLine()
	if err != nil {
		return nil, err
	}
	length := -1
	for {
		line, err := conn.in.ReadLine()
		if err != nil {
			return nil, err
		}
		if line == "" {
			break
		}
		if name, value, _ := strings.Cut(line, ": "); name == "Content-Length" {
			if length, err = strconv.Atoi(value); err != nil {
				return nil, err
			}
		}
	}
	if length < 0 {
		return nil, fmt.Errorf("%s, without a length", status)
	}
	answer := make([]byte, length)
	if _, err := io.ReadFull(conn.in.R, answer); err != nil {
		return nil, err
	}
	if ok := "HTTP/1.1 " + strconv.Itoa(http.StatusOK); !strings.HasPrefix(status, ok) {
		return nil, fmt.Errorf("%s: %s", status, answer)
	}
	return answer, nil
}

// Close closes the connections that are not in use.
func (c *Caller) Close() {
	for {
		select {
		case conn := <-c.idle:
			_ = conn.Close()
		default:
			return
		}
	}
}
