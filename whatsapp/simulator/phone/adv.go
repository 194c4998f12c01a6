package phone

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waAdv"
	"go.mau.fi/whatsmeow/util/keys"
	"google.golang.org/protobuf/proto"
)

// statement is what an account says about one of its devices ("account device verification"):
// this identity key is mine, it is my key number so-and-so, since then.
type statement struct {
	rawID    uint32 // the account's own random number
	keyIndex uint32
	at       time.Time
}

// sign returns the statement about the device with that identity key, signed by the account.
func (s statement) sign(account *keys.KeyPair, device [32]byte) (*waAdv.ADVSignedDeviceIdentity, error) {
	details, err := proto.Marshal(&waAdv.ADVDeviceIdentity{
		RawID:       proto.Uint32(s.rawID),
		Timestamp:   proto.Uint64(uint64(s.at.Unix())),
		KeyIndex:    proto.Uint32(s.keyIndex),
		AccountType: waAdv.ADVEncryptionType_E2EE.Enum(),
		DeviceType:  waAdv.ADVEncryptionType_E2EE.Enum(),
	})
	if err != nil {
		return nil, fmt.Errorf("write down a device identity: %w", err)
	}
	signature := ecc.CalculateSignature(ecc.NewDjbECPrivateKey(*account.Priv),
		slices.Concat(whatsmeow.AdvAccountSignaturePrefix, details, device[:]))
	return &waAdv.ADVSignedDeviceIdentity{
		Details:             details,
		AccountSignatureKey: account.Pub[:],
		AccountSignature:    signature[:],
	}, nil
}

// forCompanion returns the signed statement in the envelope that only somebody who knows the
// companion's secret can make.
func (s statement) forCompanion(account *keys.KeyPair, companion [32]byte, secret []byte) ([]byte, error) {
	signed, err := s.sign(account, companion)
	if err != nil {
		return nil, err
	}
	details, err := proto.Marshal(signed)
	if err != nil {
		return nil, fmt.Errorf("write down a signed device identity: %w", err)
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write(details)
	envelope, err := proto.Marshal(&waAdv.ADVSignedDeviceIdentityHMAC{Details: details, HMAC: mac.Sum(nil)})
	if err != nil {
		return nil, fmt.Errorf("write down a device identity for its device: %w", err)
	}
	return envelope, nil
}

// forPhone returns the statement about the phone itself, countersigned by it.
func (s statement) forPhone(account *keys.KeyPair) (*waAdv.ADVSignedDeviceIdentity, error) {
	signed, err := s.sign(account, *account.Pub)
	if err != nil {
		return nil, err
	}
	signature := ecc.CalculateSignature(ecc.NewDjbECPrivateKey(*account.Priv),
		slices.Concat(whatsmeow.AdvDeviceSignaturePrefix, signed.Details, account.Pub[:], signed.AccountSignatureKey))
	signed.DeviceSignature = signature[:]
	return signed, nil
}
