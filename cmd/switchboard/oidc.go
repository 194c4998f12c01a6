package main

import (
	"net/url"

	"switchboard/auth"
)

// signOnVariables are the variables of single sign-on.
var signOnVariables = []variable{
	{
		name: "OIDC_ISSUER", usage: "address of a provider of single sign-on (OpenID Connect), such as https://login.example.com",
		parse: func(c *config, value string) error {
			c.SignOn.Issuer = value
			u, err := url.Parse(value)
			if value != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil) {
				return bad("is no address such as https://login.example.com.")
			}
			return nil
		},
	},
	{
		name: "OIDC_CLIENT_ID", usage: "the panel's name at that provider",
		parse: func(c *config, value string) error {
			c.SignOn.ClientID = value
			return nil
		},
	},
	{
		name: "OIDC_CLIENT_SECRET", twin: true, secret: true, usage: "the panel's secret at that provider",
		parse: func(c *config, value string) error {
			c.SignOn.ClientSecret = value
			return nil
		},
	},
	{
		name: "OIDC_NAME", fallback: "single sign-on", usage: "what stands on the button, after \"Sign in with\"",
		parse: func(c *config, value string) error {
			c.SignOn.Name = value
			return nil
		},
	},
	{
		name: "OIDC_ROLE", usage: "role of people who come by single sign-on and have no account: viewer, operator or administrator; empty keeps them out",
		parse: func(c *config, value string) error {
			c.SignOn.Role = auth.Role(value)
			if value != "" && (!c.SignOn.Role.Valid() || c.SignOn.Role == auth.Owner) {
				return bad("is %q. Use viewer, operator or administrator, or leave it empty.", value)
			}
			return nil
		},
	},
}

// provider is the provider of single sign-on, nil without one.
func (c config) provider() *auth.Provider {
	if c.SignOn.Issuer == "" {
		return nil
	}
	return &c.SignOn
}
