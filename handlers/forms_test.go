package handlers

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"switchboard/auth"
	"switchboard/fault"
	"switchboard/instances"
)

const credential = `{"id":"AQ","rawId":"AQ","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"AQ","signature":"AQ","userHandle":null}}`

// Every form's bad input comes back as the form, filled in, with a sentence beside the field.
func TestBadInput(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	inst := connected(s.owner)
	s.numbers.set(inst)
	b.get(page)
	long := strings.Repeat("x", 300)
	tests := []struct {
		name, path string
		values     []string
		want       int
		says       string
	}{
		{"empty name", "/instances", []string{"name", ""}, 422, "Give the number a name"},
		{"blank name", "/instances", []string{"name", " \t "}, 422, "Give the number a name"},
		{"long name", "/instances", []string{"name", long}, 422, "too long"},
		{"name in use", "/instances", []string{"name", "front DESK"}, 422, "has this name already"},
		{"control character", "/instances", []string{"name", "a\x00b"}, 422, "characters"},
		{"words for a phone", "/instances", []string{"name", "New", "phone", "call me"}, 422, "not a phone number"},
		{"national phone", "/instances", []string{"name", "New", "phone", "0170 1234567"}, 422, "country code"},
		{"short phone", "/instances", []string{"name", "New", "phone", "+1 212 555"}, 422, "too short"},
		{"no such country", "/instances", []string{"name", "New", "phone", "+999 1234567"}, 422, "not a phone number"},
		{"rename to nothing", page + "/rename", []string{"name", ""}, 422, "Give the number a name"},
		{"rename too long", page + "/rename", []string{"name", long}, 422, "too long"},
		{"wrong confirmation", page + "/delete", []string{"confirm", "front desk"}, 422, "nothing was deleted"},
		{"no confirmation", page + "/delete", nil, 422, "nothing was deleted"},
		{"no recipient", page + "/messages", []string{"text", "hello"}, 422, "Enter a phone number"},
		{"no number", page + "/messages", []string{"to", "Anna", "text", "hello"}, 422, "not a phone number"},
		{"no text", page + "/messages", []string{"to", "+491701234567", "text", " "}, 422, "Write a message"},
		{"endless text", page + "/messages", []string{"to", "+491701234567", "text", strings.Repeat("x", 5000)}, 422, "too long"},
		{"broken text", page + "/messages", []string{"to", "+491701234567", "text", "\xff"}, 422, "cannot be read"},
		{"no phone to pair", page + "/pair-phone", []string{"phone", ""}, 422, "Enter a phone number"},
		{"no passkey answer", page + "/passkey", []string{"credential", "hello"}, 422, "not the answer of a passkey"},
		{"half a passkey answer", page + "/passkey", []string{"credential", `{"rawId":"AQ"}`}, 422, "not the answer of a passkey"},
		{"token without a name", "/account/tokens", []string{"name", "", "days", "90"}, 422, "name"},
		{"token without a time", "/account/tokens", []string{"name", "Shop", "days", "soon"}, 422, "Choose how long"},
		{"short password", "/account/password", []string{"current", password, "password", "short"}, 422, "too short"},
		{"no current password", "/account/password", []string{"password", "another long password"}, 422, "current password"},
	}
	for _, tt := range tests {
		if strings.HasPrefix(tt.path, page+"/pair") || strings.HasPrefix(tt.path, page+"/passkey") {
			pairing := connected(s.owner)
			pairing.Status = instances.PairingPhone
			pairing.Pairing = &instances.Pairing{Code: "2@x", ExpiresAt: time.Now().Add(time.Minute)}
			if strings.HasSuffix(tt.path, "passkey") {
				pairing.Status = instances.PasskeyRequired
				pairing.Pairing = &instances.Pairing{Passkey: &instances.Passkey{Request: []byte(`{}`)}}
			}
			s.numbers.set(pairing)
		} else {
			s.numbers.set(inst)
		}
		for how, got := range map[string]answer{"plain": b.post(tt.path, tt.values...), "htmx": b.submit(tt.path, tt.values...)} {
			if got.code != tt.want || !strings.Contains(got.body, tt.says) {
				t.Errorf("%s, %s: %d, want %d and %q in:\n%s", tt.name, how, got.code, tt.want, tt.says, got.body)
			}
			got.has(t, `role="alert"`)
			for i := 0; i+1 < len(tt.values); i += 2 {
				if name, value := tt.values[i], tt.values[i+1]; strings.TrimSpace(value) != "" && len(value) < 100 && !strings.Contains(name, "password") && name != "current" && value[0] > ' ' && value[0] < 0x80 && !strings.ContainsAny(value, "\x00\"") && !strings.Contains(got.body, value) {
					t.Errorf("%s, %s: what was typed into %s is lost", tt.name, how, name)
				}
			}
			got.lacks(t, "short\"", `value="`+password)
		}
	}
	for _, call := range s.numbers.calls() {
		t.Errorf("bad input led to %q", call)
	}
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	s.numbers.set(connected(s.owner))
	b.get(page)
	huge := strings.Repeat("x", maxBody)
	plain := b.post(page+"/messages", "to", "+491701234567", "text", huge)
	fragment := b.submit(page+"/messages", "to", "+491701234567", "text", huge)
	for _, got := range []answer{plain, fragment} {
		if got.code != http.StatusRequestEntityTooLarge {
			t.Errorf("%d, want 413", got.code)
		}
	}
	plain.has(t, "<!doctype html>", "That is too much at once")
	fragment.has(t, `data-testid="toast"`)
}

func TestCreate(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	b.get("/").has(t, "Connect your first number")
	got := b.get("/instances/new")
	_, rest, _ := strings.Cut(got.body, `name="request_id" value="`)
	request, _, _ := strings.Cut(rest, `"`)
	if len(request) < 20 {
		t.Fatalf("request id %q", request)
	}
	for range 2 { // a double click
		got = b.post("/instances", "name", "🎉🎉", "phone", "+49 (170) 123-4567", "request_id", request)
		if got.code != http.StatusSeeOther || got.header.Get("Location") != "/instances/made_20260101120000" {
			t.Errorf("%d to %q", got.code, got.header.Get("Location"))
		}
	}
	if len(s.numbers.all) != 1 || s.numbers.all[0].Phone != "491701234567" {
		t.Errorf("a double click made %+v", s.numbers.all)
	}
	b.get("/instances/made_20260101120000").has(t, "🎉🎉", "The code appears here")
}

func TestSend(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	s.numbers.set(connected(s.owner))
	b.get(page)
	got := b.post(page+"/messages", "to", "+49 170 7654321", "text", " hello ")
	if got.code != http.StatusSeeOther {
		t.Errorf("%d, want 303", got.code)
	}
	b.get(page).has(t, "Sent. WhatsApp has taken the message.")
	b.get(page).lacks(t, "Sent. WhatsApp has taken the message.")
	s.messages.list = conversation(time.Now())
	got = b.submit(page+"/messages", "to", "120363000000000001@g.us", "text", "hello")
	got.has(t, `data-testid="send-form"`, `id="messages"`, "See you tomorrow then!", `data-testid="toast"`)
	want := []string{"send " + string(known) + " 491707654321 hello", "send " + string(known) + " 120363000000000001@g.us hello"}
	if calls := s.numbers.calls(); len(calls) != 2 || calls[0] != want[0] || calls[1] != want[1] {
		t.Errorf("asked %q, want %q", calls, want)
	}

	s.numbers.refuse = fault.New(fault.Unavailable, "The number is not connected at the moment.")
	got = b.submit(page+"/messages", "to", "+49 170 7654321", "text", "keep me")
	if got.code != http.StatusServiceUnavailable {
		t.Errorf("refused: %d", got.code)
	}
	got.has(t, "The number is not connected", "keep me", "+49 170 7654321")
	s.numbers.refuse = errBroken
	got = b.submit(page+"/messages", "to", "+49 170 7654321", "text", "x")
	if got.code != http.StatusInternalServerError || got.header.Get("HX-Retarget") != "#toasts" {
		t.Errorf("broken: %d", got.code)
	}
	got.lacks(t, "secret")
}

func TestRenameAndDelete(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	s.numbers.set(connected(s.owner))
	b.get(page)
	if got := b.post(page+"/rename", "name", "Reception"); got.header.Get("Location") != page {
		t.Errorf("rename: %d", got.code)
	}
	if got := b.post(page+"/delete", "confirm", " Front desk "); got.header.Get("Location") != "/" {
		t.Errorf("delete: %d", got.code)
	}
	if got := b.post(page+"/delete", "confirm", "Front desk", "for_good", "yes"); got.header.Get("Location") != "/" {
		t.Errorf("delete for good: %d", got.code)
	}
	want := "rename " + string(known) + " Reception, delete " + string(known) + ", delete-for-good " + string(known)
	if calls := strings.Join(s.numbers.calls(), ", "); calls != want {
		t.Errorf("asked %q, want %q", calls, want)
	}
	s.numbers.refuse = &fault.Error{Kind: fault.Conflict, Field: "name", Message: "Another number has this name already."}
	b.post(page+"/rename", "name", "Support").has(t, "Another number has this name already.", `value="Support"`)
}

func TestPairByPhoneAndPasskey(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	inst := connected(s.owner)
	inst.Status, inst.JID, inst.Phone = instances.PairingPhone, "", "491709999999"
	inst.Pairing = &instances.Pairing{Code: "2@x", ExpiresAt: time.Now().Add(time.Minute)}
	s.numbers.set(inst)
	b.get(page).has(t, `value="+49 170 9999999"`)
	waiting, typed := inst, inst
	typed.Pairing = &instances.Pairing{Code: "2@x", PhoneCode: "ABCD-EFGH", PhoneCodeFor: "491701234567", PhoneCodeExpiresAt: time.Now().Add(time.Minute)}
	b.get(page).has(t, `data-testid="phone-code-form"`)
	var reports sync.WaitGroup
	s.numbers.after = func(verb string) {
		if verb == "pair-phone" { // the worker's report comes behind its answer
			s.numbers.set(waiting)
			reports.Go(func() { s.numbers.set(typed) })
		}
	}
	b.submit(page+"/pair-phone", "phone", "0049 170 1234567").has(t, `data-testid="phone-code"`, "ABCD-EFGH", "+49 170 1234567")
	if got := b.post(page+"/pair-phone", "phone", "+491701234567"); got.code != http.StatusSeeOther {
		t.Errorf("without scripts: %d", got.code)
	}
	b.get(page).has(t, "ABCD-EFGH")
	reports.Wait()
	s.numbers.after = nil

	inst.Status = instances.PasskeyRequired
	inst.Pairing = &instances.Pairing{Passkey: &instances.Passkey{Request: []byte(`{"challenge":"AAAA","rpId":"whatsapp.com","extensions":null}`)}}
	s.numbers.set(inst)
	got := b.get(page)
	got.has(t, "answerPasskey({&#34;challenge&#34;:&#34;AAAA&#34;,&#34;rpId&#34;:&#34;whatsapp.com&#34;})", "web.whatsapp.com", `data-rp="whatsapp.com"`)
	if got := b.post(page+"/passkey", "credential", credential); got.code != http.StatusSeeOther {
		t.Errorf("passkey: %d", got.code)
	}
	inst.Pairing = &instances.Pairing{Passkey: &instances.Passkey{Confirmation: "7KQ2-M4XA"}}
	s.numbers.set(inst)
	b.submit(page+"/passkey", "credential", credential).has(t, "7KQ2-M4XA", `data-testid="passkey-same"`)
	if got := b.post(page + "/passkey/confirm"); got.code != http.StatusSeeOther {
		t.Errorf("confirm: %d", got.code)
	}
	inst.Pairing = &instances.Pairing{Passkey: &instances.Passkey{Request: []byte(`{}`)}}
	s.numbers.set(inst)
	s.numbers.refuse = fault.New(fault.Conflict, "WhatsApp no longer waits for this answer.")
	b.submit(page+"/passkey", "credential", credential).has(t, "WhatsApp no longer waits")
	b.submit(page+"/pair-phone", "phone", "+491701234567").has(t, "WhatsApp no longer waits", `data-testid="field-error"`)
	for _, want := range []string{"pair-phone " + string(known) + " 491701234567", "answer-passkey " + string(known) + " " + credential, "confirm-passkey " + string(known)} {
		if !strings.Contains(strings.Join(s.numbers.calls(), "\n"), want) {
			t.Errorf("never asked %q", want)
		}
	}
}

// Going back to a form and filling it in anew makes no second number in silence.
func TestAUsedFormWithAnotherName(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	b.get("/instances/new")
	if got := b.post("/instances", "name", "Sales", "request_id", "0123456789"); got.code != http.StatusSeeOther {
		t.Fatalf("the first: %d", got.code)
	}
	got := b.post("/instances", "name", "Support", "request_id", "0123456789")
	if got.code != http.StatusUnprocessableEntity || len(s.numbers.all) != 1 {
		t.Errorf("another name: %d, %d numbers", got.code, len(s.numbers.all))
	}
	got.has(t, "another name already", `value="Support"`)
	got.lacks(t, "0123456789")
}

func TestEveryWrongFieldIsNamed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	s.numbers.set(connected(s.owner))
	b.get(page)
	b.post("/instances", "name", "", "phone", "call me").has(t, `id="name-error"`, `id="phone-error"`)
	b.post(page+"/messages", "to", "", "text", "").has(t, `id="send-to-error"`, `id="send-text-error"`)
}

func TestDeletingWhatThePhoneIsNotToldOf(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	inst := connected(s.owner)
	s.numbers.set(inst)
	const sentence = "remove “Switchboard” there under Linked devices"
	const again = "it has to be paired once more"
	got := b.get(page)
	got.lacks(t, sentence)
	got.has(t, again)
	inst.Status = instances.Idle
	s.numbers.set(inst)
	got = b.get(page)
	got.has(t, sentence, "back without a new scan")
	got.lacks(t, again)
	inst.JID = ""
	s.numbers.set(inst)
	b.get(page).lacks(t, sentence, again)
}

// A name from before today's rules does not keep a number from being deleted.
func TestDeleteANumberWithAnOldName(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	inst := connected(s.owner)
	inst.Name = "\u202eold"
	s.numbers.set(inst)
	b.get(page)
	if got := b.post(page+"/delete", "confirm", inst.Name); got.code != http.StatusSeeOther {
		t.Errorf("%d", got.code)
	}
}

func TestSignOutEverywhereElse(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	here := s.signedIn(auth.Owner)
	here.get("/account").lacks(t, "revoke-others")
	var others []*browser
	for range 11 {
		other := s.browser()
		other.login()
		others = append(others, other)
	}
	got := here.get("/account")
	got.has(t, "revoke-others", "more-sessions", "2 more browsers")
	if shown, _, _ := strings.Cut(got.body, "more-sessions"); strings.Count(shown, `data-testid="session"`) != 10 || !strings.Contains(shown, "This browser") {
		t.Error("ten sessions are shown, this browser's among them")
	}
	if got := here.post("/account/sessions/revoke"); got.code != http.StatusSeeOther {
		t.Errorf("%d", got.code)
	}
	if got := here.get("/account"); got.code != http.StatusOK || strings.Count(got.body, `data-testid="session"`) != 1 {
		t.Errorf("this browser: %d", got.code)
	}
	for _, other := range others {
		if got := other.get("/account"); got.code != http.StatusSeeOther {
			t.Errorf("another browser: %d", got.code)
		}
	}
}
