package noise_test

import (
	"bytes"
	"testing"
	"time"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/whatsmeow/proto/waCert"
	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/socket"
	"go.mau.fi/whatsmeow/util/keys"
	"google.golang.org/protobuf/proto"

	"switchboard/whatsapp/simulator/noise"
)

// The initiator here is whatsmeow's own handshake, so that both sides cannot share a mistake.
func TestHandshakeWithWhatsmeow(t *testing.T) {
	t.Parallel()
	static, device := keys.NewKeyPair(), keys.NewKeyPair()
	ephemeral := keys.NewKeyPair()
	client := socket.NewNoiseHandshake()
	client.Start(socket.NoiseStartPattern, socket.WAConnHeader)
	client.Authenticate(ephemeral.Pub[:])

	hello := marshal(t, &waWa6.HandshakeMessage{ClientHello: &waWa6.HandshakeMessage_ClientHello{Ephemeral: ephemeral.Pub[:]}})
	server, answer, err := noise.Respond(static, []byte("certificate"), socket.WAConnHeader, hello)
	if err != nil {
		t.Fatal(err)
	}
	var msg waWa6.HandshakeMessage
	if err := proto.Unmarshal(answer, &msg); err != nil {
		t.Fatal(err)
	}
	theirs := [32]byte(msg.GetServerHello().GetEphemeral())
	client.Authenticate(theirs[:])
	must(t, client.MixSharedSecretIntoKey(*ephemeral.Priv, theirs))
	serverStatic, err := client.Decrypt(msg.GetServerHello().GetStatic())
	if err != nil || !bytes.Equal(serverStatic, static.Pub[:]) {
		t.Fatalf("server static key: %v, %v", serverStatic, err)
	}
	must(t, client.MixSharedSecretIntoKey(*ephemeral.Priv, [32]byte(serverStatic)))
	if certificate, err := client.Decrypt(msg.GetServerHello().GetPayload()); err != nil || string(certificate) != "certificate" {
		t.Fatalf("certificate: %q, %v", certificate, err)
	}

	sealed := client.Encrypt(device.Pub[:])
	must(t, client.MixSharedSecretIntoKey(*device.Priv, theirs))
	finish := marshal(t, &waWa6.HandshakeMessage{ClientFinish: &waWa6.HandshakeMessage_ClientFinish{
		Static: sealed, Payload: client.Encrypt([]byte("payload")),
	}})
	got, payload, session, err := server.Finish(finish)
	if err != nil || got != *device.Pub || string(payload) != "payload" {
		t.Fatalf("finish: %x %q %v", got, payload, err)
	}
	if frame := session.Seal(nil, []byte("frame")); len(frame) != len("frame")+noise.Overhead {
		t.Errorf("sealed frame has %d bytes", len(frame))
	}
}

func TestRefusesForgedHandshake(t *testing.T) {
	t.Parallel()
	static, ephemeral := keys.NewKeyPair(), keys.NewKeyPair()
	for name, hello := range map[string][]byte{"no protobuf": {0xff}, "no key": {}} {
		if _, _, err := noise.Respond(static, nil, nil, hello); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	hello := marshal(t, &waWa6.HandshakeMessage{ClientHello: &waWa6.HandshakeMessage_ClientHello{Ephemeral: ephemeral.Pub[:]}})
	h, _, err := noise.Respond(static, nil, nil, hello)
	must(t, err)
	finish := marshal(t, &waWa6.HandshakeMessage{ClientFinish: &waWa6.HandshakeMessage_ClientFinish{
		Static: make([]byte, 48), Payload: make([]byte, 32),
	}})
	if _, _, _, err := h.Finish(finish); err == nil {
		t.Error("a forged client finish was accepted")
	}
}

func TestCertificateHangsOnRoot(t *testing.T) {
	t.Parallel()
	root, static, now := keys.NewKeyPair(), keys.NewKeyPair(), time.Now()
	raw, err := noise.Certificate(root, *static.Pub, now)
	must(t, err)
	var chain waCert.CertChain
	must(t, proto.Unmarshal(raw, &chain))
	middle, leaf := details(t, chain.GetIntermediate()), details(t, chain.GetLeaf())
	verify(t, *root.Pub, chain.GetIntermediate())
	verify(t, [32]byte(middle.GetKey()), chain.GetLeaf())
	if middle.GetIssuerSerial() != 0 || leaf.GetIssuerSerial() != middle.GetSerial() || !bytes.Equal(leaf.GetKey(), static.Pub[:]) {
		t.Errorf("chain does not hang together: %v, %v", middle, leaf)
	}
	for _, d := range []*waCert.CertChain_NoiseCertificate_Details{middle, leaf} {
		if int64(d.GetNotBefore()) > now.Unix() || int64(d.GetNotAfter()) < now.AddDate(1, 0, 0).Unix() {
			t.Errorf("validity %d to %d", d.GetNotBefore(), d.GetNotAfter())
		}
	}
}

func details(t *testing.T, c *waCert.CertChain_NoiseCertificate) *waCert.CertChain_NoiseCertificate_Details {
	t.Helper()
	var d waCert.CertChain_NoiseCertificate_Details
	must(t, proto.Unmarshal(c.GetDetails(), &d))
	return &d
}

func verify(t *testing.T, by [32]byte, c *waCert.CertChain_NoiseCertificate) {
	t.Helper()
	if !ecc.VerifySignature(ecc.NewDjbECPublicKey(by), c.GetDetails(), [64]byte(c.GetSignature())) {
		t.Error("signature does not verify")
	}
}

func marshal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	out, err := proto.Marshal(m)
	must(t, err)
	return out
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
