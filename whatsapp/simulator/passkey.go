package simulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// PasskeyPrologue is the client's answer to the request for a passkey. The network has
// checked the assertion.
type PasskeyPrologue struct {
	Ref          string // of this part of the pairing, as Payload names it
	CredentialID []byte
	Assertion    []byte // WebAuthn response, JSON
	Payload      []byte // waCompanionReg.ProloguePayload
	HandoffProof []byte // HMAC over Payload by the scanned code's secret; may be missing
}

// passkeying is a pairing with a passkey under way; guarded by Network.connMu.
type passkeying struct {
	number   string
	options  []byte // JSON
	request  types.WebAuthnPublicKey
	ref      string
	finished bool

	prologue chan PasskeyPrologue
	nonce    chan []byte
	sealed   chan []byte // EncryptedPairingRequest
}

// SetPasskey says whether linking a device to the account asks for a passkey. The account
// gets a key pair of its own the first time.
func (n *Network) SetPasskey(_ context.Context, number string, required bool) error {
	n.mu.Lock()
	a := n.accounts[number]
	if a == nil {
		n.mu.Unlock()
		return ErrUnknownAccount
	}
	if required && a.PasskeyPriv == nil {
		var err error
		if a.PasskeyID, a.PasskeyPriv, err = newPasskey(); err != nil {
			n.mu.Unlock()
			return err
		}
	}
	a.WantsPass = required
	save := accountOp(a)
	n.mu.Unlock()
	return n.state.journal.write(save)
}

// AnswerPasskey plays the authenticator that holds the account's passkey: it answers
// WebAuthn request options (JSON, as the client received them) with a credential (JSON).
func (n *Network) AnswerPasskey(number string, options []byte) (credential []byte, err error) {
	var request types.WebAuthnPublicKey
	if err := json.Unmarshal(options, &request); err != nil {
		return nil, fmt.Errorf("the request for a passkey cannot be read: %w", err)
	}
	id, private, err := n.passkeyOf(number)
	if err != nil {
		return nil, err
	}
	return assert(&request, id, private)
}

func (n *Network) passkeyOf(number string) (id, private []byte, err error) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	a := n.accounts[number]
	if a == nil {
		return nil, nil, ErrUnknownAccount
	}
	if a.PasskeyPriv == nil {
		return nil, nil, errors.New("this account has no passkey: switch it on first")
	}
	return a.PasskeyID, a.PasskeyPriv, nil
}

// RequestPasskey asks the client behind ref for the account's passkey and waits for the
// answer. A client that answers with a wrong one is told so and may try again.
func (n *Network) RequestPasskey(ctx context.Context, ref, number string) (PasskeyPrologue, error) {
	c, p, err := n.pending(ref)
	if err != nil {
		return PasskeyPrologue{}, err
	}
	id, _, err := n.passkeyOf(number)
	if err != nil {
		return PasskeyPrologue{}, err
	}
	k := &passkeying{number: number, prologue: make(chan PasskeyPrologue, 1), nonce: make(chan []byte, 1), sealed: make(chan []byte, 1)}
	if k.request, k.options, err = newPasskeyRequest(id); err != nil {
		return PasskeyPrologue{}, err
	}
	n.connMu.Lock()
	p.passkey = k
	n.connMu.Unlock()
	c.send(node("notification", waBinary.Attrs{"from": types.ServerJID, "type": "passkey_prologue_request", "id": n.nextID(), "t": unixNow()},
		data("passkey_request_options", nil, k.options)))
	return await(ctx, c, k.prologue)
}

// ContinuePasskey passes on the phone's waCompanionReg.PrimaryEphemeralIdentity and waits
// for the client's nonce.
func (n *Network) ContinuePasskey(ctx context.Context, ref string, primaryEphemeralIdentity []byte) (companionNonce []byte, err error) {
	c, k, err := n.passkeying(ref)
	if err != nil {
		return nil, err
	}
	c.send(node("notification", waBinary.Attrs{"from": types.ServerJID, "type": "crsc_continuation", "id": n.nextID(), "t": unixNow()},
		data("primary_ephemeral_identity", nil, primaryEphemeralIdentity)))
	return await(ctx, c, k.nonce)
}

// FinishPasskey waits until the client's user has confirmed the code, and returns its
// waCompanionReg.EncryptedPairingRequest. Accept with the same ref comes next.
func (n *Network) FinishPasskey(ctx context.Context, ref string) (encryptedPairingRequest []byte, err error) {
	c, k, err := n.passkeying(ref)
	if err != nil {
		return nil, err
	}
	sealed, err := await(ctx, c, k.sealed)
	if err != nil {
		return nil, err
	}
	n.connMu.Lock()
	k.finished = true
	n.connMu.Unlock()
	return sealed, nil
}

func (n *Network) passkeying(ref string) (*connection, *passkeying, error) {
	c, p, err := n.pending(ref)
	if err != nil {
		return nil, nil, err
	}
	n.connMu.Lock()
	defer n.connMu.Unlock()
	if p.passkey == nil {
		return nil, nil, errors.New("this client was not asked for a passkey")
	}
	return c, p.passkey, nil
}

func await[T any](ctx context.Context, c *connection, answer <-chan T) (T, error) {
	var nothing T
	select {
	case v := <-answer:
		return v, nil
	case <-c.done:
		return nothing, errClientGone
	case <-ctx.Done():
		return nothing, ctx.Err()
	}
}

// handlePasskey answers the client's side of a pairing with a passkey. It reports whether
// the iq belongs there.
func (c *connection) handlePasskey(iq *waBinary.Node, request waBinary.Node) bool {
	n := c.n
	n.connMu.Lock()
	var k *passkeying
	if c.pairing != nil {
		k = c.pairing.passkey
	}
	n.connMu.Unlock()
	switch request.Tag {
	case "ref", "passkey_request_options", "passkey_prologue", "companion_nonce", "encrypted_pairing_request":
		if k == nil {
			c.fail(iq, 404, "item-not-found")
			return true
		}
	}
	switch request.Tag {
	case "ref":
		ref := "2@" + token(33)
		n.connMu.Lock()
		k.ref = ref
		c.pairing.refs = append(c.pairing.refs, ref)
		n.refs[ref] = c
		n.connMu.Unlock()
		c.result(iq, data("ref", nil, []byte(ref)))
	case "passkey_request_options":
		c.result(iq, data("passkey_request_options", nil, k.options))
	case "passkey_prologue":
		part := func(tag string) []byte {
			n, _ := child(&request, tag)
			return content(&n)
		}
		prologue := PasskeyPrologue{
			Ref: k.ref, CredentialID: part("credential_id"), Assertion: part("webauthn_assertion"),
			Payload: part("prologue_payload"), HandoffProof: part("pairing_handoff_proof"),
		}
		if err := n.checkAssertion(k, prologue.Assertion); err != nil {
			n.log.Info("passkey refused", "err", err)
			c.fail(iq, 401, "not-authorized")
			return true
		}
		if !n.losesPasskey(k.number) {
			offer(k.prologue, prologue)
		}
		c.result(iq)
	case "companion_nonce":
		offer(k.nonce, content(&request))
		c.result(iq)
	case "encrypted_pairing_request":
		offer(k.sealed, content(&request))
		c.result(iq)
	default:
		return false
	}
	return true
}

// offer replaces what nobody has taken yet.
func offer[T any](ch chan T, v T) {
	select {
	case <-ch:
	default:
	}
	select {
	case ch <- v:
	default:
	}
}
