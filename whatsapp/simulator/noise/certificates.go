package noise

import (
	"fmt"
	"time"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/whatsmeow/proto/waCert"
	"go.mau.fi/whatsmeow/util/keys"
	"google.golang.org/protobuf/proto"
)

const (
	rootSerial         = 0 // clients insist on it
	intermediateSerial = 1
	leafSerial         = 2
	validity           = 10 * 365 * 24 * time.Hour
)

// Certificate makes the chain that vouches for a server's static key: root signs an
// intermediate certificate with a fresh key, that one signs the certificate of static.
func Certificate(root *keys.KeyPair, static [32]byte, now time.Time) ([]byte, error) {
	middle := keys.NewKeyPair()
	intermediate, err := sign(root, intermediateSerial, rootSerial, *middle.Pub, now)
	if err != nil {
		return nil, err
	}
	leaf, err := sign(middle, leafSerial, intermediateSerial, static, now)
	if err != nil {
		return nil, err
	}
	return proto.Marshal(&waCert.CertChain{Leaf: leaf, Intermediate: intermediate})
}

func sign(by *keys.KeyPair, serial, issuer uint32, key [32]byte, now time.Time) (*waCert.CertChain_NoiseCertificate, error) {
	details, err := proto.Marshal(&waCert.CertChain_NoiseCertificate_Details{
		Serial:       proto.Uint32(serial),
		IssuerSerial: proto.Uint32(issuer),
		Key:          key[:],
		NotBefore:    proto.Uint64(uint64(now.Add(-24 * time.Hour).Unix())),
		NotAfter:     proto.Uint64(uint64(now.Add(validity).Unix())),
	})
	if err != nil {
		return nil, fmt.Errorf("encode certificate: %w", err)
	}
	signature := ecc.CalculateSignature(ecc.NewDjbECPrivateKey(*by.Priv), details)
	return &waCert.CertChain_NoiseCertificate{Details: details, Signature: signature[:]}, nil
}
