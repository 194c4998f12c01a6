package qrcode

import (
	"bytes"
	"encoding/base64"
	"image/png"
	"math/rand/v2"
	"testing"
)

// TestManyDecode reads three hundred codes such as WhatsApp's, always the same. Under one fixed
// mask a scanner takes the data of a few of them for a finder pattern.
func TestManyDecode(t *testing.T) {
	t.Parallel()
	random := rand.NewChaCha8([32]byte{1})
	part := func(bytes int) string {
		b := make([]byte, bytes)
		_, _ = random.Read(b) // cannot fail
		return base64.StdEncoding.EncodeToString(b)
	}
	for range 300 {
		text := "https://wa.me/settings/linked_devices#2@" + part(33) + "," + part(32) + "," + part(32) + "," + part(32) + ",1"
		data, err := PNG(text)
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if got := decode(t, img); got != text {
			t.Fatalf("decoded %q, want %q", got, text)
		}
	}
}
