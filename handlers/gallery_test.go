package handlers

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"testing"
	"time"

	"switchboard/auth"
	"switchboard/instances"
	"switchboard/messages"
)

var galleryAddr = flag.String("gallery", "", "serve every state of the panel at this address, for looking at")

// TestGallery serves every state of the panel with made-up numbers, signed in, until it is
// interrupted:
//
//	go test ./handlers -run Gallery -timeout 0 -gallery 127.0.0.1:8765
func TestGallery(t *testing.T) {
	if *galleryAddr == "" {
		t.Skip("only with -gallery")
	}
	site := newSite(t, func(o *Options) { o.Simulated, o.PhoneURL = true, "http://127.0.0.1:3081/" })
	site.person(auth.Owner)
	site.numbers.all = append(everyState(time.Now()), oddNames(time.Now())...)
	site.numbers.found = []instances.Paired{
		{JID: "491711111111:3@s.whatsapp.net", PushName: "Bakery", Source: "go-whatsapp-web-multidevice"},
		{JID: "393331234567:8@s.whatsapp.net", Source: "go-whatsapp-web-multidevice"},
	}
	site.messages.list = conversation(time.Now())
	browser := site.browser()
	browser.login()

	listener, err := net.Listen("tcp", *galleryAddr)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.Contains(r.URL.RawQuery, "anonymous") {
				for _, c := range browser.jar.Cookies(site.url) {
					r.AddCookie(c)
				}
			}
			switch r.URL.Path { // states that no link leads to
			case "/gallery/empty":
				r.URL.Path = "/"
				empty := *site.server
				empty.Instances = &fakeNumbers{}
				empty.below(empty.routes()).ServeHTTP(w, r)
				return
			case "/gallery/many":
				r.URL.Path = "/"
				many := *site.server
				many.Instances = &fakeNumbers{all: repeated(everyState(time.Now()), 200)}
				many.below(many.routes()).ServeHTTP(w, r)
				return
			case "/gallery/panic":
				site.server.fail(w, r, errBroken)
				return
			}
			site.handler.ServeHTTP(w, r)
		}))
	}()
	fmt.Println("http://" + listener.Addr().String() + "/")
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	<-stop
}

// everyState is one number in each status, and in each that depends on a reason.
func everyState(now time.Time) []instances.Instance {
	request := []byte(`{"challenge":"q83vEjRWeJq83vEjRWeJq83vEjRWeJq83vEjRWeJ","timeout":60000,"rpId":"whatsapp.com","allowCredentials":[{"id":"AQIDBAUGBwg","type":"public-key","transports":null}],"userVerification":"required","extensions":null}`)
	code := &instances.Pairing{
		Code: "2@" + strings.Repeat("aB3/+xYz9Q==,", 17), ExpiresAt: now.Add(14 * time.Second), Turn: 2, Turns: 6,
	}
	typed := *code
	typed.PhoneCode, typed.PhoneCodeFor, typed.PhoneCodeExpiresAt = "K7QX-3MDA", "491701234567", now.Add(150*time.Second)
	states := []struct {
		name    string
		status  instances.Status
		reason  instances.Reason
		pairing *instances.Pairing
		paired  bool
	}{
		{"Front desk", instances.Connected, "", nil, true},
		{"Sales Rome", instances.PairingPhone, "", code, false},
		{"Support on two lines and with a name that is rather long for a table", instances.PairingPhone, "", &typed, false},
		{"Warehouse", instances.PairingPhone, instances.QRExpired, nil, false},
		{"Bookings", instances.PairingPhone, instances.PairingRejected, nil, false},
		{"Orders", instances.PasskeyRequired, "", &instances.Pairing{Passkey: &instances.Passkey{Request: request}}, false},
		{"Returns", instances.PasskeyRequired, "", &instances.Pairing{Passkey: &instances.Passkey{Request: request, Confirmation: "7KQ2-M4XA"}}, false},
		{"Provisioning", instances.Provisioning, "", nil, false},
		{"Starting", instances.Starting, "", nil, false},
		{"Billing", instances.Reconnecting, instances.NoNetwork, nil, true},
		{"Night shift", instances.LoggedOut, instances.LoggedOutByPhone, nil, true},
		{"Newsletter", instances.Restricted, instances.TemporaryBan, nil, true},
		{"Delivery", instances.Restricted, instances.ReachOutLimit, nil, true},
		{"Old building", instances.Outdated, "", nil, true},
		{"Reception", instances.Replaced, "", nil, true},
		{"Workshop", instances.Backoff, instances.WorkerKilled, nil, true},
		{"Garden", instances.Failed, instances.CrashLoop, nil, true},
		{"Cellar", instances.Failed, instances.ProvisionFailed, nil, false},
		{"Attic", instances.Failed, instances.DeleteFailed, nil, true},
		{"Holiday line", instances.Idle, "", nil, true},
		{"Fresh and stopped", instances.Idle, "", nil, false},
		{"Stopping", instances.Stopping, "", nil, true},
		{"Deleting", instances.Deleting, "", nil, true},
	}
	var all []instances.Instance
	for i, s := range states {
		id := instances.ID(fmt.Sprintf("%02d_%s_20260101120000", i, s.status))
		inst := instances.Instance{
			ID: id, Name: s.name, Desired: instances.Running, Status: s.status, Reason: s.reason,
			Since: now.Add(-time.Duration(i) * 7 * time.Minute), CreatedAt: now.Add(-90 * 24 * time.Hour),
			Port: 3001 + i, Restarts: i % 3, Pairing: s.pairing,
			Database: instances.Database{Engine: "sqlite", Main: "whatsapp_" + string(id), Keys: "keys_" + string(id)},
		}
		if s.paired {
			inst.JID, inst.PushName = fmt.Sprintf("4917012345%02d:7@s.whatsapp.net", i), "Hotel Adler"
			inst.ProvenAt = now.Add(-6 * time.Second)
		}
		if s.status.OfWorker() {
			inst.PID, inst.Version, inst.StartedAt = 4100+i, "1.0.0", now.Add(-3*time.Hour)
		}
		switch s.status {
		case instances.Backoff:
			inst.RetryAt = now.Add(40 * time.Second)
			inst.LastLines = []string{`level=INFO msg="connected to whatsapp"`, "signal: killed"}
		case instances.Restricted:
			inst.RetryAt = now.Add(5 * time.Hour)
		case instances.Failed:
			inst.LastLines = []string{`level=INFO msg="opening databases"`, "panic: runtime error: invalid memory address or nil pointer dereference", "goroutine 1 [running]:", "main.main()"}
		}
		all = append(all, inst)
	}
	return all
}

// oddNames are numbers whose names are hard to show.
func oddNames(now time.Time) []instances.Instance {
	odd := everyState(now)[:3]
	for i, name := range []string{"خدمة العملاء", "👩‍💻 Büro 東京 🏢", strings.Repeat("Donaudampfschifffahrt", 4)[:80]} {
		odd[i].ID, odd[i].Name = instances.ID(fmt.Sprintf("odd_%d_20260101120000", i)), name
	}
	return odd
}

// repeated is all over and over, until there are n.
func repeated(all []instances.Instance, n int) (many []instances.Instance) {
	for i := range n {
		inst := all[i%len(all)]
		inst.ID = instances.ID(fmt.Sprintf("%03d_%s", i, inst.ID))
		many = append(many, inst)
	}
	return many
}

func conversation(now time.Time) []messages.Message {
	const anna = "491709876543@s.whatsapp.net"
	at := func(minutes int) time.Time { return now.Add(-time.Duration(minutes) * time.Minute) }
	return []messages.Message{
		{Chat: anna, ID: "7", FromMe: true, Kind: messages.Text, Text: "See you tomorrow then!", At: at(1), Status: messages.SentOut},
		{Chat: anna, ID: "6", SenderName: "Anna", Kind: messages.Text, Text: "Perfect, thank you 🙏\nWe arrive around six.", At: at(3)},
		{Chat: anna, ID: "5", FromMe: true, Kind: messages.Text, Text: "Good evening Anna. Yes, the double room with the balcony is free from Friday to Sunday, breakfast included. Shall I reserve it for you?", At: at(9), Status: messages.Read},
		{Chat: anna, ID: "4", SenderName: "Anna", Kind: messages.Image, Text: "This one?", At: at(12)},
		{Chat: anna, ID: "3", SenderName: "Anna", Kind: messages.Text, Text: "Hello! Do you have a room for the weekend?", At: at(14)},
		{Chat: "393331234567@s.whatsapp.net", ID: "2", FromMe: true, Kind: messages.Text, Text: "Your table is ready.", At: at(2000), Status: messages.NotSent},
		{Chat: "12036302@g.us", ID: "1", SenderName: "<script>alert(1)</script>", Kind: messages.Undecryptable, At: at(3000)},
	}
}
