package e2e

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"switchboard/engine"
)

// TestNothingSecretIsLogged walks a number through all that it does with secrets, everything
// logged that can be, and looks for them in every log that there is.
func TestNothingSecretIsLogged(t *testing.T) { onBothEngines(t, nothingSecretIsLogged) }

func nothingSecretIsLogged(t *testing.T, database ...string) {
	network := startNetwork(t)
	phone, other := network.addPhone(own, "Ada"), network.addPhone(friend, "Grace")
	const nobody = "127.0.0.1:1" // where nothing listens, so that everything about it fails
	panel, api := startPanelWithToken(t, network, append(database, "LOG_LEVEL=debug", "EGRESS_ALLOW=127.0.0.1/32",
		"WHATSAPP_WEBHOOK=http://shop:hook-password@"+nobody+"/hook-path?token=hook-token")...)
	id := api.create("Discreet").ID
	api.call(http.MethodPost, "/instances/"+id+"/webhooks", map[string]any{"kind": "nats", "url": "nats://shop:broker-password@" + nobody}, http.StatusCreated, nil)
	api.call(http.MethodPatch, "/instances/"+id+"/settings", map[string]any{"bucket": map[string]any{
		"endpoint": "http://" + nobody, "name": "media", "access_key": "bucket-access", "secret_key": "bucket-password", "path_style": true,
	}}, http.StatusOK, nil)
	secrets := secrets{
		"the owner's password": ownerPassword, "the token": api.token,
		"the number": own, "the other's number": friend,
		"a webhook's password": "hook-password", "its path": "hook-path", "its token": "hook-token",
		"a broker's password": "broker-password", "the store's secret": "bucket-password", "a proxy's password": "proxy-password", "a picture's address": "picture-token",
		"what arrived": "The vault opens at noon", "what was sent": "Bring the golden key", "what was not sent": "Nobody hears this",
	}
	code := api.code(id)
	for part := range strings.SplitSeq(code, ",") {
		if len(part) > 20 { // the rest is a flag, found everywhere
			secrets["a part of the code: "+part] = part
		}
	}
	phone.scan(code)
	api.becomes(id, "connected")
	other.send(own, secrets["what arrived"])
	api.send(id, friend, secrets["what was sent"])
	other.receives(own, secrets["what was sent"])
	poll(t, "the message is stored", func() bool { return panel.talk(api.get(id)).in[secrets["what arrived"]] == 1 }, nil)
	secrets.addKeys(t, panel, api.get(id))

	if status, _ := api.ask(http.MethodPost, "/instances/"+id+"/messages", map[string]string{"to": friend, "type": "image", "url": "http://" + nobody + "/?x=picture-token"}); status != http.StatusUnprocessableEntity {
		t.Errorf("a picture that cannot be fetched is answered with %d", status)
	}
	for _, proxy := range []string{"socks5://shop:proxy-password@" + nobody, ""} {
		api.call(http.MethodPatch, "/instances/"+id+"/settings", map[string]any{"proxy": proxy}, http.StatusOK, nil)
		api.becomes(id, map[bool]string{true: "connected", false: "reconnecting"}[proxy == ""])
	}

	api.call(http.MethodPost, "/instances/"+id+"/logout", nil, http.StatusOK, nil)
	api.becomes(id, "logged_out")
	if status, _ := api.ask(http.MethodPost, "/instances/"+id+"/api/send/message", map[string]string{"phone": friend, "message": secrets["what was not sent"]}); status == http.StatusOK {
		t.Error("a number that is logged out has sent a message")
	}
	api.call(http.MethodPost, "/instances/"+id+"/pair", nil, http.StatusOK, nil)
	var typed struct{ Code string }
	api.call(http.MethodPost, "/instances/"+id+"/pair-code", map[string]string{"phone": own}, http.StatusOK, &typed)
	phone.enter(typed.Code)
	secrets["the code that was typed"], secrets["the same without a dash"] = typed.Code, strings.ReplaceAll(typed.Code, "-", "")
	was := api.becomes(id, "connected")

	// What is left when a process ends by force is told, too.
	if err := syscall.Kill(was.PID, syscall.SIGABRT); err != nil {
		t.Fatal(err)
	}
	poll(t, "the number is connected again", func() bool {
		is := api.get(id)
		return is.Status == "connected" && is.PID != was.PID
	}, nil)
	status, logged := api.askFor("application/x-ndjson", http.MethodGet, "/instances/"+id+"/logs", nil)
	if status != http.StatusOK || strings.Count(string(logged), `"msg":"worker starts"`) != 2 || !strings.Contains(string(logged), `"level":"DEBUG"`) {
		t.Errorf("the log is %d: %.2000s", status, logged)
	}
	logs := map[string]string{"the panel's log": panel.stderr.String(), "the log as it is downloaded": string(logged)}
	files, err := filepath.Glob(filepath.Join(panel.folder(id), "*.log"))
	if err != nil || len(files) < 2 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		logs[filepath.Base(file)] = string(text)
	}
	for name, log := range logs {
		for what, secret := range secrets {
			if strings.Contains(log, secret) {
				at := strings.Index(log, secret)
				t.Errorf("%s tells %s: %q", name, what, log[max(0, at-200):at+len(secret)])
			}
		}
	}
}

// secrets are texts that must not be found, by what they are.
type secrets map[string]string

// addKeys adds the keys that a number has and every way in which they are written.
func (s secrets) addKeys(t *testing.T, panel *panel, inst instance) {
	t.Helper()
	var note struct{ Token string }
	text, err := os.ReadFile(filepath.Join(panel.folder(inst.ID), "worker.json"))
	if err == nil {
		err = json.Unmarshal(text, &note)
	}
	if err != nil || note.Token == "" {
		t.Fatalf("the worker's control token: %v", err)
	}
	s["the control token"] = note.Token
	if inst.Database.Engine != engine.SQLite {
		return // the keys are of the same make
	}
	db, err := engine.At(filepath.Join(panel.folder(inst.ID), inst.Database.Keys)).OpenReadOnly(within(t, patience))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var noise, identity, adv []byte
	if err := db.QueryRow(`SELECT "noise_key", "identity_key", "adv_key" FROM "whatsmeow_device"`).Scan(&noise, &identity, &adv); err != nil {
		t.Fatal(err)
	}
	for what, key := range map[string][]byte{"the noise key": noise, "the identity key": identity, "the device secret": adv} {
		s[what+" in hex"] = hex.EncodeToString(key)
		s[what+" in capitals"] = strings.ToUpper(hex.EncodeToString(key))
		s[what+" in base64"] = base64.StdEncoding.EncodeToString(key)
		s[what+" as it is"] = string(key)
	}
}
