package phone

import (
	"crypto/hmac"
	"crypto/sha256"
	"slices"
	"testing"
	"time"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/whatsmeow/proto/waAdv"
	"go.mau.fi/whatsmeow/util/keys"
	"google.golang.org/protobuf/proto"
)

func TestStatementForACompanion(t *testing.T) {
	t.Parallel()
	account, companion := keys.NewKeyPair(), keys.NewKeyPair()
	secret := randomBytes(32)
	at := time.Unix(1800000000, 0)
	envelope, err := statement{rawID: 7, keyIndex: 3, at: at}.forCompanion(account, *companion.Pub, secret)
	if err != nil {
		t.Fatal(err)
	}
	var sealed waAdv.ADVSignedDeviceIdentityHMAC
	var signed waAdv.ADVSignedDeviceIdentity
	var details waAdv.ADVDeviceIdentity
	if err := proto.Unmarshal(envelope, &sealed); err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write(sealed.Details)
	if !hmac.Equal(mac.Sum(nil), sealed.HMAC) {
		t.Error("the envelope is not sealed with the companion's secret")
	}
	if err := proto.Unmarshal(sealed.Details, &signed); err != nil {
		t.Fatal(err)
	}
	if err := proto.Unmarshal(signed.Details, &details); err != nil {
		t.Fatal(err)
	}
	if details.GetRawID() != 7 || details.GetKeyIndex() != 3 || details.GetTimestamp() != 1800000000 {
		t.Errorf("the statement says %v", &details)
	}
	if [32]byte(signed.AccountSignatureKey) != *account.Pub {
		t.Error("the statement names another account key")
	}
	text := slices.Concat([]byte{6, 0}, signed.Details, companion.Pub[:])
	if !ecc.VerifySignature(ecc.NewDjbECPublicKey(*account.Pub), text, [64]byte(signed.AccountSignature)) {
		t.Error("the account's signature does not hold")
	}
	other := slices.Concat([]byte{6, 0}, signed.Details, keys.NewKeyPair().Pub[:])
	if ecc.VerifySignature(ecc.NewDjbECPublicKey(*account.Pub), other, [64]byte(signed.AccountSignature)) {
		t.Error("the account's signature holds for any device")
	}
}

func TestStatementForThePhoneItself(t *testing.T) {
	t.Parallel()
	account := keys.NewKeyPair()
	signed, err := statement{rawID: 7, at: time.Now()}.forPhone(account)
	if err != nil {
		t.Fatal(err)
	}
	text := slices.Concat([]byte{6, 1}, signed.Details, account.Pub[:], account.Pub[:])
	if !ecc.VerifySignature(ecc.NewDjbECPublicKey(*account.Pub), text, [64]byte(signed.DeviceSignature)) {
		t.Error("the phone's countersignature does not hold")
	}
}
