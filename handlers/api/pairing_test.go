package api

import (
	"bytes"
	"image/png"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"switchboard/instances"
)

func TestQR(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	code := "2@" + strings.Repeat("aB3/+xYz9Q==,", 17)
	expires := time.Now().Add(20 * time.Second).Truncate(time.Second)
	path := "/instances/" + string(s.add(instances.Instance{
		Status: instances.PairingPhone, Pairing: &instances.Pairing{Code: code, ExpiresAt: expires},
	})) + "/qr"

	for _, accept := range []string{"", "*/*", "application/json", "image/webp, application/json;q=0.1", "image/png;q=0.5, application/json"} {
		got := s.send(s.operator, "GET", path, "", "Accept", accept)
		s.wantStatus(got, http.StatusOK)
		var qr struct {
			Code      string    `json:"code"`
			ExpiresAt time.Time `json:"expires_at"`
		}
		into(t, got, &qr)
		if qr.Code != code || !qr.ExpiresAt.Equal(expires) || !strings.Contains(got.body, `Z"}`) {
			t.Errorf("Accept %q: %s", accept, got.body)
		}
	}

	got := s.send(s.operator, "GET", path, "", "Accept", "image/png")
	s.wantStatus(got, http.StatusOK)
	img, err := png.Decode(strings.NewReader(got.body))
	if err != nil {
		t.Fatal(err)
	}
	bitmap, err := gozxing.NewBinaryBitmapFromImage(img)
	if err != nil {
		t.Fatal(err)
	}
	if scanned, err := qrcode.NewQRCodeReader().Decode(bitmap, nil); err != nil || scanned.GetText() != code {
		t.Errorf("the PNG reads %v: %v", scanned, err)
	}
	if at, err := http.ParseTime(got.Header.Get("Expires")); err != nil || !at.Equal(expires) {
		t.Errorf("Expires is %q", got.Header.Get("Expires"))
	}

	for _, accept := range []string{"image/*", "image/svg+xml", "image/avif,image/webp,image/svg+xml,*/*;q=0.8"} {
		got := s.send(s.operator, "GET", path, "", "Accept", accept)
		s.wantStatus(got, http.StatusOK)
		if got.Header.Get("Content-Type") != "image/svg+xml" || !bytes.HasPrefix([]byte(got.body), []byte("<svg ")) {
			t.Errorf("Accept %q answers %s", accept, got.Header.Get("Content-Type"))
		}
	}
	for _, accept := range []string{"text/html", "application/json;q=0", "image/gif"} {
		s.wantProblem(s.send(s.operator, "GET", path, "", "Accept", accept), http.StatusNotAcceptable)
	}
}

func TestNothingToScan(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		instance instances.Instance
		reason   string
		again    bool
		detail   string
	}{
		"first code to come": {instances.Instance{Status: instances.PairingPhone, Pairing: &instances.Pairing{}}, "pairing", true, "on its way"},
		"starting":           {instances.Instance{Status: instances.Starting}, "starting", true, "on its way"},
		"round over":         {instances.Instance{Status: instances.PairingPhone, Reason: instances.QRExpired}, "qr_expired", false, "/pair"},
		"logged out":         {instances.Instance{Status: instances.LoggedOut, Reason: instances.LoggedOutByPhone}, "logged_out_by_phone", false, "/pair"},
		"stopped":            {instances.Instance{Status: instances.Idle}, "stopped", false, "/start"},
		"connected":          {instances.Instance{Status: instances.Connected, JID: "49170@s.whatsapp.net"}, "connected", false, "paired already"},
		"failed":             {instances.Instance{Status: instances.Failed, Reason: instances.DatabaseDamaged}, "database_damaged", false, "failed"},
		"expired code": {instances.Instance{Status: instances.PairingPhone, Pairing: &instances.Pairing{
			Code: "2@x", ExpiresAt: time.Now().Add(-time.Second)}}, "pairing", true, "on its way"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			got := s.send(s.operator, "GET", "/instances/"+string(s.add(c.instance))+"/qr", "", "Accept", "image/png")
			p := s.wantProblem(got, http.StatusConflict)
			if p.Reason != c.reason || p.InstanceStatus != string(c.instance.Status) || !strings.Contains(p.Detail, c.detail) {
				t.Errorf("%+v", p)
			}
			if again := got.Header.Get("Retry-After") != ""; again != c.again {
				t.Errorf("Retry-After is %q", got.Header.Get("Retry-After"))
			}
		})
	}
}

// A start of a number that waits for a person begins what the person waits for.
func TestStartOfWhatWaits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		instance instances.Instance
		calls    string
	}{
		"logged out": {instances.Instance{Status: instances.LoggedOut, Reason: instances.LoggedOutByPhone}, "start, pair"},
		"round over": {instances.Instance{Status: instances.PairingPhone, Reason: instances.QRExpired}, "start, pair"},
		"pairing":    {instances.Instance{Status: instances.PairingPhone}, "start"},
		"connected":  {instances.Instance{Status: instances.Connected}, "start"},
		"replaced":   {instances.Instance{Status: instances.Replaced}, "start"}, // does not fight for the session
	} {
		s := newSite(t)
		s.wantStatus(s.send(s.operator, "POST", "/instances/"+string(s.add(c.instance))+"/start", ""), http.StatusOK)
		if got := strings.Join(s.supervisor.calls, ", "); got != c.calls {
			t.Errorf("%s: the supervisor was told %s", name, got)
		}
	}
}

func TestPairCode(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	path := "/instances/" + string(s.add(instances.Instance{Status: instances.PairingPhone})) + "/pair-code"
	got := s.send(s.operator, "POST", path, `{"phone":"+49 170 0000001"}`)
	s.wantStatus(got, http.StatusOK)
	if want := `{"code":"ABCD-EFGH","expires_at":"2026-11-23T07:00:00Z"}`; strings.TrimSpace(got.body) != want {
		t.Errorf("got %s, want %s", got.body, want)
	}
	if got := s.supervisor.calls; len(got) != 1 || got[0] != "pair 491700000001" {
		t.Errorf("the supervisor was told %v", got)
	}
	for _, body := range []string{`{}`, `{"phone":""}`, `{"phone":"call me"}`, `{"phone":491700000001}`} {
		if p := s.wantProblem(s.send(s.operator, "POST", path, body), http.StatusUnprocessableEntity); p.Field != "phone" {
			t.Errorf("%s: field %q", body, p.Field)
		}
	}
}
