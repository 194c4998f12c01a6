package main

import (
	"context"
	"fmt"
	"net/mail"
	"strconv"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// mailConfig is the mail server that invitations go through.
type mailConfig struct {
	Host, User, Password, From, TLS string
	Port                            int
}

// mailer sends e-mail through one server.
type mailer struct{ mailConfig }

// Send sends one e-mail, and returns when the server has taken it.
func (m mailer) Send(ctx context.Context, to, subject, text string) error {
	options := []gomail.Option{gomail.WithPort(m.Port), gomail.WithTimeout(20 * time.Second)}
	switch m.TLS {
	case "tls":
		options = append(options, gomail.WithSSL())
	case "starttls":
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	}
	if m.User != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(m.User), gomail.WithPassword(m.Password))
	}
	client, err := gomail.NewClient(m.Host, options...)
	if err != nil {
		return fmt.Errorf("prepare mail: %w", err)
	}
	message := gomail.NewMsg()
	if err := message.From(m.From); err != nil {
		return fmt.Errorf("prepare mail: %w", err)
	}
	if err := message.To(to); err != nil {
		return fmt.Errorf("prepare mail: %w", err)
	}
	message.Subject(subject)
	message.SetBodyString(gomail.TypeTextPlain, text)
	if err := client.DialAndSendWithContext(ctx, message); err != nil {
		return fmt.Errorf("send mail: %w", err)
	}
	return nil
}

// mailVariables are the variables of the mail server.
var mailVariables = []variable{
	{
		name: "SMTP_HOST", usage: "mail server through which invitations are sent; none means links are passed on by hand",
		parse: func(c *config, value string) error {
			c.Mail.Host = value
			return checkHost(value)
		},
	},
	{
		name: "SMTP_PORT", fallback: "587", usage: "its port",
		parse: func(c *config, value string) (err error) {
			c.Mail.Port, err = parsePort(value, 1)
			return err
		},
	},
	{
		name: "SMTP_TLS", fallback: "starttls", usage: "starttls, tls, or none for a server on this machine",
		parse: func(c *config, value string) error {
			c.Mail.TLS = value
			if value != "starttls" && value != "tls" && value != "none" {
				return bad("is %q. Use starttls, tls or none.", value)
			}
			return nil
		},
	},
	{
		name: "SMTP_USER", usage: "name to sign in to the mail server with",
		parse: func(c *config, value string) error {
			c.Mail.User = value
			return nil
		},
	},
	{
		name: "SMTP_PASSWORD", twin: true, secret: true, usage: "password to sign in to the mail server with",
		parse: func(c *config, value string) error {
			c.Mail.Password = value
			return nil
		},
	},
	{
		name: "SMTP_FROM", usage: "address that invitations come from, such as Switchboard <numbers@example.com>",
		parse: func(c *config, value string) error {
			c.Mail.From = value
			if _, err := mail.ParseAddress(value); value != "" && err != nil {
				return bad("is %s, which is no e-mail address. One looks like numbers@example.com.", strconv.Quote(value))
			}
			return nil
		},
	},
}
