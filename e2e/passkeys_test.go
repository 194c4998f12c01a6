package e2e

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// authenticator is a device with passkeys, as the browser sees it: it asks for a finger.
type authenticator struct {
	b  *tab
	id webauthn.AuthenticatorID
}

// ask asks the browser's own interface for something.
func ask[P, R any](b *tab, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	answer, err := chromedp.Call(b.ctx, command, params)
	if err != nil {
		b.t.Fatalf("%s: %v", command.Method, err)
	}
	return answer
}

// attach gives the browser of a tab an empty device.
func (b *tab) attach() authenticator {
	b.t.Helper()
	ask(b, webauthn.Enable, webauthn.EnableParams{})
	added := ask(b, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
		HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
	}})
	return authenticator{b: b, id: added.AuthenticatorID}
}

// finger says whether it is the right finger that the device is shown from now on.
func (d authenticator) finger(right bool) {
	d.b.t.Helper()
	ask(d.b, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: d.id, IsUserVerified: right})
}

func (d authenticator) detach() {
	d.b.t.Helper()
	ask(d.b, webauthn.RemoveVirtualAuthenticator, webauthn.RemoveVirtualAuthenticatorParams{AuthenticatorID: d.id})
}

// startNamedPanel starts a panel that browsers reach by a host name, without which they have no passkeys.
func startNamedPanel(t *testing.T) *panel {
	t.Helper()
	port := freePort(t)
	return startPanel(t, startNetwork(t), fmt.Sprint("APP_PORT=", port), fmt.Sprintf("APP_URL=http://localhost:%d", port))
}

// TestPasskeys makes a passkey in a real browser, signs in with it and takes it away again; a finger that is not
// recognised, a key that is there already and one that the panel does not know are told from one another.
func TestPasskeys(t *testing.T) {
	t.Parallel()
	p := startNamedPanel(t)
	b := newTab(t)
	p.signIn(b)
	laptop := b.attach()

	add := func(name, password string) {
		t.Helper()
		b.open(p.url + "/account/security")
		b.fill("passkey-form", "key-name", name)
		b.fill("passkey-form", "current", password)
		b.submit("passkey-form", "add-passkey")
	}
	add("Laptop", "not my password")
	b.reads("passkey-error", "not your current password")
	laptop.finger(false)
	add("Laptop", ownerPassword)
	b.reads("passkey-error", "cancelled")
	laptop.finger(true)
	add("Laptop", ownerPassword)
	b.reads("passkey", "Laptop")
	add("Laptop again", ownerPassword)
	b.reads("passkey-error", "has a passkey for this account already")

	signOut := func() {
		t.Helper()
		b.click("sign-out")
		b.see("login-form")
	}
	signOut()
	laptop.finger(false)
	b.press(`[data-testid="passkey-sign-in"] button`)
	b.reads("passkey-error", "cancelled")
	laptop.finger(true)
	b.press(`[data-testid="passkey-sign-in"] button`)
	b.see("new-number")
	b.open(p.url + "/account/security")
	b.reads("passkey", "Last used")

	// As the second step, in place of the code of an app: the password alone no longer does.
	signOut()
	b.fill("login-form", "email", ownerEmail)
	b.fill("login-form", "password", ownerPassword)
	b.submit("login-form", "submit")
	b.eval(patience, `location.pathname === "/login/second"`, "the second step is asked for")
	b.press(`[data-testid="passkey-sign-in"] button`)
	b.see("new-number")

	// Taken away here, it still is on the device.
	b.open(p.url + "/account/security")
	b.click("remove-passkey")
	b.fill("remove-passkey-form", "current", ownerPassword)
	b.submit("remove-passkey-form", "submit")
	b.eval(patience, `document.querySelector('[data-testid=passkey]') === null`, "the passkey is gone")
	signOut()
	b.press(`[data-testid="passkey-sign-in"] button`)
	b.reads("form-error", "not known here")

	// A device without any.
	laptop.detach()
	b.attach()
	b.open(p.url + "/login?account=yes")
	b.press(`[data-testid="passkey-sign-in"] button`)
	b.reads("passkey-error", "cancelled")
}

// TestNoPasskeysAtAnAddress tells why browsers have none where the panel has no name.
func TestNoPasskeysAtAnAddress(t *testing.T) {
	t.Parallel()
	p := startPanel(t, startNetwork(t))
	b := newTab(t)
	p.signIn(b)
	b.attach()
	b.open(p.url + "/account/security")
	b.fill("passkey-form", "key-name", "Laptop")
	b.fill("passkey-form", "current", ownerPassword)
	b.submit("passkey-form", "add-passkey")
	b.reads("passkey-error", "host name")
}
