package phone

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"slices"
	"testing"

	"go.mau.fi/whatsmeow/proto/waCompanionReg"
	"go.mau.fi/whatsmeow/util/gcmutil"
	"go.mau.fi/whatsmeow/util/keys"
	"golang.org/x/crypto/curve25519"
	"google.golang.org/protobuf/proto"

	"switchboard/fault"
)

// companion plays the other side of a pairing by code, as section 7 of the protocol has it.
type companion struct {
	identity, ephemeral *keys.KeyPair
	code                string
}

func (c companion) hello(t *testing.T) []byte {
	t.Helper()
	saltAndIV := randomBytes(48)
	wrapped, err := codeKey(c.code, saltAndIV[:32], saltAndIV[32:], c.ephemeral.Pub[:])
	if err != nil {
		t.Fatal(err)
	}
	return append(saltAndIV, wrapped...)
}

func (c companion) finish(t *testing.T, hello []byte, primary [32]byte) (bundle, secret []byte) {
	t.Helper()
	key, err := codeKey(c.code, hello[:32], hello[32:48], hello[48:])
	if err != nil {
		t.Fatal(err)
	}
	shared, err := curve25519.X25519(c.ephemeral.Priv[:], key)
	if err != nil {
		t.Fatal(err)
	}
	random, salt, nonce := randomBytes(32), randomBytes(32), randomBytes(12)
	bundleKey, err := hkdf.Key(sha256.New, shared, salt, "link_code_pairing_key_bundle_encryption_key", 32)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := gcmutil.Encrypt(bundleKey, nonce, slices.Concat(c.identity.Pub[:], primary[:], random), nil)
	if err != nil {
		t.Fatal(err)
	}
	identities, err := curve25519.X25519(c.identity.Priv[:], primary[:])
	if err != nil {
		t.Fatal(err)
	}
	secret, err = hkdf.Key(sha256.New, slices.Concat(shared, identities, random), nil, "adv_secret", 32)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(salt, nonce, sealed), secret
}

func TestPairingByCode(t *testing.T) {
	t.Parallel()
	c := companion{identity: keys.NewKeyPair(), ephemeral: keys.NewKeyPair(), code: "ABCD1234"}
	own := keys.NewKeyPair()
	for typed, right := range map[string]bool{"ABCD1234": true, "ABCD1235": false} {
		pairing, hello, err := startCodePairing(own, typed, c.hello(t))
		if err != nil {
			t.Fatal(err)
		}
		bundle, want := c.finish(t, hello, *own.Pub)
		secret, err := pairing.finish(bundle, *c.identity.Pub)
		if right && (err != nil || !bytes.Equal(secret, want)) {
			t.Errorf("the right code failed: %v", err)
		}
		if !right && !errors.Is(err, errWrongCode) {
			t.Errorf("a wrong code gave %v", err)
		}
	}
}

func TestTypedCodes(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"ABCD1234": "ABCD1234", "abcd-1234": "ABCD1234", " ab cd 12 34 ": "ABCD1234",
		"": "", "ABCD123": "", "ABCD12345": "", "ABCD-12O4": "", "ABCD-120I": "", "ÄBCD123": "",
	} {
		got, err := normalCode(typed)
		if got != want || (want == "") != (fault.FieldOf(err) == "code") {
			t.Errorf("%q became %q, %v", typed, got, err)
		}
	}
}

func TestLinkTexts(t *testing.T) {
	t.Parallel()
	key := func(b byte) string { return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, 32)) }
	bare := "2@ref," + key(1) + "," + key(2) + "," + key(3)
	for _, text := range []string{bare, " " + bare + "\n", bare + ",1", "https://wa.me/settings/linked_devices#" + bare + ",1"} {
		got, err := parseLinkText(text)
		if err != nil || got.ref != "2@ref" || got.noise[0] != 1 || got.identity[0] != 2 || got.secret[0] != 3 {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "hello", "https://example.com/", "2@ref," + key(1) + "," + key(2), "," + key(1) + "," + key(2) + "," + key(3), "2@ref,AAAA," + key(2) + "," + key(3)} {
		if _, err := parseLinkText(text); fault.FieldOf(err) != "text" {
			t.Errorf("%q was taken for a code: %v", text, err)
		}
	}
}

func TestPairingWithAPasskey(t *testing.T) {
	t.Parallel()
	scanned := randomBytes(32)
	client, nonce := keys.NewKeyPair(), randomBytes(32)
	device := waCompanionReg.DeviceProps_CHROME
	identity, _ := proto.Marshal(&waCompanionReg.CompanionEphemeralIdentity{PublicKey: client.Pub[:], DeviceType: &device, Ref: proto.String("ref")})
	promise := sha256.Sum256(slices.Concat(identity, nonce))
	payload, _ := proto.Marshal(&waCompanionReg.ProloguePayload{
		CompanionEphemeralIdentity: identity, Commitment: &waCompanionReg.CompanionCommitment{Hash: promise[:]},
	})
	handoff, _ := hkdf.Key(sha256.New, scanned, nil, "shortcake-passkey-handoff-v1", 32)
	mac := hmac.New(sha256.New, handoff)
	mac.Write(payload)
	proof := mac.Sum(nil)

	if _, err := startPasskeyPairing(payload, proof, randomBytes(32)); err == nil {
		t.Error("another device's passkey was taken")
	}
	p, err := startPasskeyPairing(payload, proof, scanned)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.code(randomBytes(32)); err == nil {
		t.Error("a nonce that was not promised was taken")
	}
	hello, err := p.hello()
	if err != nil {
		t.Fatal(err)
	}
	var primary waCompanionReg.PrimaryEphemeralIdentity
	if err := proto.Unmarshal(hello, &primary); err != nil {
		t.Fatal(err)
	}
	shown := make([]byte, 5)
	digest := sha256.Sum256(slices.Concat(nonce, primary.PublicKey))
	for i := range shown {
		shown[i] = primary.Nonce[i] ^ digest[i]
	}
	want := base32.NewEncoding(codeAlphabet).EncodeToString(shown)
	if code, err := p.code(nonce); err != nil || code != want[:4]+"-"+want[4:] {
		t.Errorf("the phone shows %q (%v), the other device %q", code, err, want)
	}
	shared, _ := curve25519.X25519(client.Priv[:], primary.PublicKey)
	key, _ := hkdf.Key(sha256.New, shared, []byte("Companion Pairing 1 with ref ref"), "Pairing Information Encryption Key", 32)
	secret, companion, iv := randomBytes(32), randomBytes(32), randomBytes(12)
	request, _ := proto.Marshal(&waCompanionReg.PairingRequest{CompanionPublicKey: randomBytes(32), CompanionIdentityKey: companion, AdvSecret: secret})
	sealed, _ := gcmutil.Encrypt(key, iv, request, nil)
	encrypted, _ := proto.Marshal(&waCompanionReg.EncryptedPairingRequest{EncryptedPayload: sealed, IV: iv})
	got, err := p.finish(encrypted)
	if err != nil || !bytes.Equal(got.GetAdvSecret(), secret) || !bytes.Equal(got.GetCompanionIdentityKey(), companion) {
		t.Errorf("the pairing request opened as %v, %v", got, err)
	}
}
