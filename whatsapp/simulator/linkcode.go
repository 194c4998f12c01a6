package simulator

import (
	"context"
	"regexp"
	"sync"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// LinkCodeRequest is a client that shows a code to be typed into the phone.
type LinkCodeRequest struct {
	Ref              string
	Number           string
	Platform         string
	WrappedEphemeral []byte // 80 bytes: salt, iv, encrypted public key
	ServerAuthKeyPub []byte
	Nonce            []byte
	At               time.Time
}

// LinkCodeFinish is the client's answer to a typed code.
type LinkCodeFinish struct {
	WrappedKeyBundle     []byte
	CompanionIdentityPub []byte
}

// linking is a pairing by code under way.
type linking struct {
	request LinkCodeRequest
	finish  chan LinkCodeFinish
}

// displayName is what the real server insists on.
var displayName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z ]+ \(.+\)$`) })

// handleLinkCode answers both stages of a pairing by code that a client asks for.
func (c *connection) handleLinkCode(iq *waBinary.Node, reg waBinary.Node) {
	part := func(tag string) []byte {
		n, _ := child(&reg, tag)
		return content(&n)
	}
	n := c.n
	if attr(&reg, "stage") == "companion_finish" {
		n.connMu.Lock()
		var link *linking
		if c.pairing != nil {
			link = c.pairing.link
		}
		n.connMu.Unlock()
		if link == nil || link.request.Ref != string(part("link_code_pairing_ref")) {
			c.fail(iq, 404, "item-not-found")
			return
		}
		finish := LinkCodeFinish{WrappedKeyBundle: part("link_code_pairing_wrapped_key_bundle"), CompanionIdentityPub: part("companion_identity_public")}
		select {
		case link.finish <- finish:
		default: // nobody typed the code just now
		}
		c.result(iq)
		return
	}
	jid := attrJID(&reg, "jid")
	request := LinkCodeRequest{
		Ref: "2@" + token(33), Number: jid.User, Platform: string(part("companion_platform_display")),
		WrappedEphemeral: part("link_code_pairing_wrapped_companion_ephemeral_pub"),
		ServerAuthKeyPub: part("companion_server_auth_key_pub"), Nonce: part("link_code_pairing_nonce"), At: time.Now(),
	}
	if len(request.WrappedEphemeral) != 80 || !digits(request.Number) || !displayName().MatchString(request.Platform) {
		c.fail(iq, 400, "bad-request")
		return
	}
	n.connMu.Lock()
	p := c.pairing
	if p == nil || len(p.refs) == 0 {
		n.connMu.Unlock()
		c.fail(iq, 403, "forbidden")
		return
	}
	p.link = &linking{request: request, finish: make(chan LinkCodeFinish, 1)}
	p.refs = append(p.refs, request.Ref)
	n.refs[request.Ref] = c
	n.connMu.Unlock()
	c.result(iq, node("link_code_companion_reg", waBinary.Attrs{"stage": "companion_hello"},
		data("link_code_pairing_ref", nil, []byte(request.Ref))))
}

// LinkCodeRequests lists the clients that wait for their code to be typed into that phone,
// the latest last.
func (n *Network) LinkCodeRequests(number string) []LinkCodeRequest {
	n.connMu.Lock()
	defer n.connMu.Unlock()
	var out []LinkCodeRequest
	for ref, c := range n.refs {
		if link := c.pairing.link; link != nil && link.request.Ref == ref && link.request.Number == number {
			out = append(out, link.request)
		}
	}
	sortByTime(out, func(r LinkCodeRequest) time.Time { return r.At })
	return out
}

// PrimaryHello passes the phone's half of a code pairing on and waits for the client's
// answer. Whether the code was right shows only when the answer is opened; after a wrong one
// it may be called again.
func (n *Network) PrimaryHello(ctx context.Context, ref string, wrappedPrimaryEphemeral, primaryIdentityPub []byte) (LinkCodeFinish, error) {
	c, p, err := n.pending(ref)
	if err != nil {
		return LinkCodeFinish{}, err
	}
	n.connMu.Lock()
	link := p.link
	n.connMu.Unlock()
	if link == nil || link.request.Ref != ref {
		return LinkCodeFinish{}, ErrUnknownRef
	}
	select {
	case <-link.finish: // left over from an attempt that was given up
	default:
	}
	c.send(node("notification", waBinary.Attrs{"from": types.ServerJID, "type": "link_code_companion_reg", "id": n.nextID(), "t": unixNow()},
		node("link_code_companion_reg", waBinary.Attrs{"stage": "primary_hello"},
			data("link_code_pairing_ref", nil, []byte(ref)),
			data("link_code_pairing_wrapped_primary_ephemeral_pub", nil, wrappedPrimaryEphemeral),
			data("primary_identity_pub", nil, primaryIdentityPub),
		)))
	select {
	case finish := <-link.finish:
		return finish, nil
	case <-c.done:
		return LinkCodeFinish{}, errClientGone
	case <-ctx.Done():
		return LinkCodeFinish{}, ctx.Err()
	}
}
