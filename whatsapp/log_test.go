package whatsapp

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// whatsmeow logs as the debug level of a worker lets through, and nothing of a person's may
// be among it.
func TestTheLogTellsNoSecrets(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := bridge(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
	jid := types.NewJID("491701234567", types.DefaultUserServer)
	node := &waBinary.Node{Tag: "message", Attrs: waBinary.Attrs{"from": jid}, Content: []byte("the secret text")}
	code := "2@aGVsbG8gd29ybGQgdGhpcyBpcyBhIHNlY3JldCBjb2Rl"
	log.Debugf("Emitting QR code %s", code)
	log.Sub("QRChannel").Debugf("Emitting QR code %s", code)
	log.Sub("Recv").Debugf("%s", node)
	log.Sub("Send").Errorf("%s", node)
	log.Warnf("Node handling is taking long for %s (started %s ago)", node, 3*time.Second)
	log.Errorf("Failed for %v: %v", jid, fmt.Errorf("no session with %s for %w", jid, errors.New("key "+code[2:])))
	log.Sub("Socket").Warnf("%d of %x, %q and %+v: %v", 7, []byte("the secret text"), "the secret text", struct{ A string }{"the secret text"},
		errors.New("unexpected <message from='491701234567'>the secret"))
	text := out.String()
	for _, secret := range []string{"491701234567", "secret text", code[2:], "7468652073656372", "from="} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in the log:\n%s", secret, text)
		}
	}
	for _, fact := range []string{"started 3s ago", "module=Socket", "7 of …", "no session with …"} {
		if !strings.Contains(text, fact) {
			t.Errorf("%q is not in the log:\n%s", fact, text)
		}
	}
}
