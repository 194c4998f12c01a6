package simulator

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"go.mau.fi/whatsmeow/types"
)

// The part of WebAuthn that a passkey of the simulated network needs: one ES256 key per
// account, assertions by it and their check.

const (
	relyingParty   = "whatsapp.com"
	passkeyOrigin  = "https://web.whatsapp.com"
	passkeyTimeout = 300_000 // ms
	flagsPresent   = 0x05    // user present and verified
)

var errPasskey = errors.New("the passkey is not the one that was asked for")

// clientData is what an authenticator signs about the page that asked.
type clientData struct {
	Type      string `json:"type"`
	Challenge string `json:"challenge"`
	Origin    string `json:"origin"`
}

func newPasskey() (id, private []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make a passkey: %w", err)
	}
	if private, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
		return nil, nil, fmt.Errorf("make a passkey: %w", err)
	}
	sum := sha256.Sum256(private)
	return sum[:16], private, nil
}

func newPasskeyRequest(credential []byte) (types.WebAuthnPublicKey, []byte, error) {
	request := types.WebAuthnPublicKey{
		Challenge: make([]byte, 32), Timeout: passkeyTimeout, RelyingPartID: relyingParty,
		AllowCredentials: []types.AllowedCredential{{ID: credential, Type: "public-key", Transports: []string{"internal", "hybrid"}}},
		UserVerification: "required", Extensions: map[string]any{},
	}
	_, _ = rand.Read(request.Challenge) // never fails
	raw, err := json.Marshal(request)
	return request, raw, err
}

// assert answers a request with the passkey.
func assert(request *types.WebAuthnPublicKey, id, private []byte) ([]byte, error) {
	if !asksFor(request, id) {
		return nil, errPasskey
	}
	key, err := parsePasskey(private)
	if err != nil {
		return nil, err
	}
	client, err := json.Marshal(clientData{"webauthn.get", base64.RawURLEncoding.EncodeToString(request.Challenge), passkeyOrigin})
	if err != nil {
		return nil, err
	}
	party := sha256.Sum256([]byte(request.RelyingPartID))
	authenticator := append(party[:], flagsPresent, 0, 0, 0, 0) // a counter that stays 0: passkeys are synchronised
	signature, err := ecdsa.SignASN1(rand.Reader, key, signedHash(authenticator, client))
	if err != nil {
		return nil, fmt.Errorf("sign with the passkey: %w", err)
	}
	return json.Marshal(types.WebAuthnResponse{
		ID: base64.RawURLEncoding.EncodeToString(id), RawID: id, Type: "public-key",
		Response: types.WebAuthnResponseData{ClientDataJSON: client, AuthenticatorData: authenticator, Signature: signature},
	})
}

// checkAssertion checks that the account's passkey signed the challenge.
func (n *Network) checkAssertion(k *passkeying, assertion []byte) error {
	id, private, err := n.passkeyOf(k.number)
	if err != nil {
		return err
	}
	key, err := parsePasskey(private)
	if err != nil {
		return err
	}
	var answer types.WebAuthnResponse
	if err := json.Unmarshal(assertion, &answer); err != nil {
		return fmt.Errorf("the passkey's answer cannot be read: %w", err)
	}
	var client clientData
	if err := json.Unmarshal(answer.Response.ClientDataJSON, &client); err != nil {
		return fmt.Errorf("the passkey's answer cannot be read: %w", err)
	}
	party := sha256.Sum256([]byte(relyingParty))
	switch {
	case !bytes.Equal(answer.RawID, id),
		client.Type != "webauthn.get",
		client.Challenge != base64.RawURLEncoding.EncodeToString(k.request.Challenge),
		!bytes.HasPrefix(answer.Response.AuthenticatorData, party[:]),
		!ecdsa.VerifyASN1(&key.PublicKey, signedHash(answer.Response.AuthenticatorData, answer.Response.ClientDataJSON), answer.Response.Signature):
		return errPasskey
	}
	return nil
}

func asksFor(request *types.WebAuthnPublicKey, id []byte) bool {
	for _, c := range request.AllowCredentials {
		if bytes.Equal(c.ID, id) {
			return true
		}
	}
	return len(request.AllowCredentials) == 0
}

func parsePasskey(private []byte) (*ecdsa.PrivateKey, error) {
	key, err := x509.ParsePKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("read the passkey: %w", err)
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errPasskey
	}
	return ec, nil
}

func signedHash(authenticator, client []byte) []byte {
	clientSum := sha256.Sum256(client)
	sum := sha256.Sum256(append(bytes.Clone(authenticator), clientSum[:]...))
	return sum[:]
}
