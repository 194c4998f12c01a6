package proxies

import (
	"net/url"
	"strings"
)

// Shown is the address of a proxy as people and programs may see it, with "xxxxx" in the
// place of the password; "" is none.
func Shown(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Redacted()
}

// Wanted returns the address that typed stands for where now is kept: now itself when typed
// is what Shown makes of it, "" for none, and else what Parse makes of it.
func Wanted(typed, now string) (string, error) {
	switch typed = strings.TrimSpace(typed); typed {
	case "":
		return "", nil
	case Shown(now):
		return now, nil
	}
	u, err := Parse(typed)
	if err != nil {
		return "", err
	}
	return u.String(), nil
}
