package main

import (
	"context"
	"errors"
	"net"
	"time"

	"switchboard/egress"
	"switchboard/fault"
	"switchboard/proxies"
)

// throughProxy returns a function that tries whether the network that the numbers use can be
// reached through a proxy.
func throughProxy(c config) func(ctx context.Context, address string) error {
	guard := egress.New(c.EgressAllow)
	target := "web.whatsapp.com:443"
	if c.SimulatorAddr != "" {
		target = c.SimulatorAddr
	}
	return func(ctx context.Context, address string) error {
		ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
		defer cancel()
		u, err := proxies.Parse(address)
		if err != nil {
			return err
		}
		conn, err := proxies.Through(u, guard.DialContext)(ctx, "tcp", target)
		if err == nil {
			return conn.Close()
		}
		var looked *net.DNSError
		switch {
		case errors.Is(err, egress.ErrRefused):
			return fault.Wrap(fault.Invalid, "This proxy is at a private address. EGRESS_ALLOW says which of these may be used.", err)
		case errors.As(err, &looked):
			return fault.Wrap(fault.Unavailable, "There is no host of that name.", err)
		case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded):
			return fault.Wrap(fault.Unavailable, "The proxy does not answer.", err)
		}
		return fault.Wrap(fault.Unavailable, "WhatsApp cannot be reached through this proxy. Check address, user and password.", err)
	}
}
