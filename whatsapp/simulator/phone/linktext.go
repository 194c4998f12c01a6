package phone

import (
	"encoding/base64"
	"strings"

	"switchboard/fault"
)

// linkText is what a client shows as a QR code: who it is, and a secret that the network
// never sees.
type linkText struct {
	ref             string
	noise, identity [32]byte
	secret          []byte
}

// parseLinkText reads the text of a QR code. WhatsApp wraps it in a link these days, with
// the parts behind the "#"; the bare form is still understood.
func parseLinkText(text string) (linkText, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "http://") || strings.HasPrefix(text, "https://") {
		_, text, _ = strings.Cut(text, "#")
	}
	parts := strings.Split(text, ",")
	if len(parts) < 4 || parts[0] == "" {
		return linkText{}, errNotALinkText
	}
	t := linkText{ref: parts[0]}
	noise, err1 := base64.StdEncoding.DecodeString(parts[1])
	identity, err2 := base64.StdEncoding.DecodeString(parts[2])
	secret, err3 := base64.StdEncoding.DecodeString(parts[3])
	if err1 != nil || err2 != nil || err3 != nil || len(noise) != 32 || len(identity) != 32 || len(secret) != 32 {
		return linkText{}, errNotALinkText
	}
	t.noise, t.identity, t.secret = [32]byte(noise), [32]byte(identity), secret
	return t, nil
}

var errNotALinkText = fault.InField("text", "This is not a code for linking a device. Show the QR code on the other screen again and scan that.")
