package webhooks

import (
	"net/url"
	"strings"

	"switchboard/fault"
	"switchboard/settings"
	"switchboard/sinks"
)

// target is where events of a webhook go.
func target(w settings.Webhook) sinks.Target {
	return sinks.Target{
		Kind: KindOf(w), URL: w.URL, SkipVerify: w.SkipVerify, Exchange: w.Exchange, RoutingKey: w.RoutingKey, Subject: w.Subject,
	}
}

// KindOf returns what kind of sink a webhook is.
func KindOf(w settings.Webhook) sinks.Kind {
	if w.Kind == "" {
		return sinks.HTTP
	}
	return sinks.Kind(w.Kind)
}

// mask takes an endpoint's secrets out of a text: an answer may repeat the request.
func (p endpoint) mask(text string) string {
	for _, secret := range p.secrets() {
		text = strings.ReplaceAll(text, secret, hidden)
	}
	return text
}

const hidden = "•••"

// secrets are the texts that must not be shown, the long ones first.
func (p endpoint) secrets() []string {
	all := []string{p.Secret, strings.TrimPrefix(p.Secret, secretPrefix)}
	for _, value := range p.Headers {
		all = append(all, value)
		if _, token, ok := strings.Cut(value, " "); ok { // "Bearer …"
			all = append(all, token)
		}
	}
	if u, err := url.Parse(p.URL); err == nil {
		_, secret, _ := userinfo(p.Kind, u)
		all = append(all, secret)
		if plain, err := url.PathUnescape(secret); err == nil {
			all = append(all, plain)
		}
		for _, values := range u.Query() {
			all = append(all, values...)
		}
	}
	kept := all[:0]
	for _, s := range all {
		if len(s) >= 4 { // shorter ones are no secrets, and would tear every text
			kept = append(kept, s)
		}
	}
	return kept
}

// userinfo divides what an address has before its host, as it is written there, into what
// may be shown and what is secret: the password, or the token that NATS has in the place of
// a user.
func userinfo(kind string, u *url.URL) (shown, secret string, ok bool) {
	if u.User == nil {
		return "", "", false
	}
	user, password, has := strings.Cut(u.User.String(), ":")
	if !has && kind == string(sinks.NATS) {
		return "", user, true
	}
	return user, password, has
}

// maskPassword is an address as whoever may change it sees it: without the password.
func maskPassword(w settings.Webhook) string {
	u, err := url.Parse(w.URL)
	if err != nil {
		return ""
	}
	shown, _, ok := userinfo(w.Kind, u)
	if !ok {
		return w.URL
	}
	if shown != "" {
		shown += ":"
	}
	_, rest, _ := strings.Cut(w.URL, "@")
	return u.Scheme + "://" + shown + hidden + "@" + rest
}

// unmask puts the password of a webhook's address into one that was shown without it and
// perhaps changed, but does not send it elsewhere.
func unmask(text string, before settings.Webhook) (string, error) {
	if !strings.Contains(text, hidden+"@") {
		return text, nil
	}
	was, err := url.Parse(before.URL)
	if err == nil {
		_, secret, _ := userinfo(before.Kind, was)
		text = strings.Replace(text, hidden+"@", secret+"@", 1)
		if is, err := url.Parse(strings.TrimSpace(text)); err == nil && is.Scheme == was.Scheme && is.Host == was.Host {
			return text, nil
		}
	}
	return "", fault.InField("url", "The address leads elsewhere now, so write its password again.")
}

// MaskURL is an address as it may be shown to whoever looks at deliveries: without the
// password and the values of its query.
func MaskURL(text string) string {
	u, err := url.Parse(strings.ReplaceAll(text, hidden, "x")) // it may be masked already
	if err != nil {
		return ""
	}
	shown := u.Scheme + "://" + u.Host + u.EscapedPath()
	if u.User != nil {
		shown = u.Scheme + "://" + hidden + "@" + u.Host + u.EscapedPath()
	}
	if u.RawQuery != "" {
		shown += "?" + hidden
	}
	return shown
}
