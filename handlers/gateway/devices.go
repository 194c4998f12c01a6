package gateway

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"switchboard/audit"
	"switchboard/fault"
	"switchboard/instances"
)

const maxForm = 1 << 20

// device is how clients see a number.
type device struct {
	ID          instances.ID `json:"id"`
	PhoneNumber string       `json:"phone_number,omitempty"`
	DisplayName string       `json:"display_name"`
	State       string       `json:"state"`
	JID         string       `json:"jid"`
	CreatedAt   time.Time    `json:"created_at"`
}

func show(i instances.Instance) device {
	d := device{ID: i.ID, DisplayName: i.Name, State: state(i.Status), CreatedAt: i.CreatedAt.UTC()}
	if linked(i) {
		d.JID = bare(i.JID)
		d.PhoneNumber, _, _ = strings.Cut(d.JID, "@")
	}
	return d
}

// state puts a status into the four words that clients know. "logged_in" is what they take
// for usable, so nothing but a proven connection is called that; "connected" is a connection
// without a session there, which nobody can use, and is said of no number.
func state(s instances.Status) string {
	switch s {
	case instances.Connected:
		return "logged_in"
	case instances.Provisioning, instances.Starting, instances.Reconnecting, instances.Backoff:
		return "connecting"
	}
	return "disconnected"
}

// linked says whether a number has a session with WhatsApp, running or not.
func linked(i instances.Instance) bool {
	switch i.Status {
	case instances.PairingPhone, instances.PasskeyRequired, instances.LoggedOut, instances.Deleting:
		return false
	}
	return i.JID != ""
}

// device adapts a handler of one number that the path names.
func (s *server) device(handle func(http.ResponseWriter, *http.Request, instances.Instance) error) http.HandlerFunc {
	return s.answer(func(w http.ResponseWriter, r *http.Request) error {
		name, err := url.PathUnescape(chi.URLParam(r, "device"))
		if err != nil {
			name = chi.URLParam(r, "device")
		}
		inst, err := find(s.visible(r), name)
		if err != nil {
			return err
		}
		return handle(w, r, inst)
	})
}

func (s *server) listDevices(w http.ResponseWriter, r *http.Request) error {
	list := []device{}
	for _, i := range s.visible(r) {
		list = append(list, show(i))
	}
	return write(w, "List devices", list)
}

// listed is a number in the older list.
type listed struct {
	Name   string       `json:"name"`
	Device instances.ID `json:"device"`
	JID    string       `json:"jid"`
}

func (s *server) older(r *http.Request) []listed {
	list := []listed{}
	for _, i := range s.visible(r) {
		d := show(i)
		list = append(list, listed{d.DisplayName, d.ID, d.JID})
	}
	return list
}

func (s *server) appDevices(w http.ResponseWriter, r *http.Request) error {
	return write(w, "Fetch device success", s.older(r))
}

func (s *server) showDevice(w http.ResponseWriter, _ *http.Request, i instances.Instance) error {
	return write(w, "Device info", show(i))
}

func (s *server) addDevice(w http.ResponseWriter, r *http.Request) error {
	var in wish
	if err := readObject(w, r, &in); err != nil {
		return err
	}
	if err := in.check(); err != nil { // before a number is made that would stay without one
		return err
	}
	name := strings.TrimSpace(in.Device)
	if name == "" {
		name = "Device " + rand.Text()[:6]
	}
	inst, err := s.Instances.Create(r.Context(), viewer(r), instances.New{Name: name})
	if fault.KindOf(err) == fault.Conflict && fault.FieldOf(err) == "name" {
		return fault.InField("device_id", "There is a device with this device_id already.")
	}
	if err != nil {
		return err
	}
	if in.URL == nil || *in.URL == "" {
		return write(w, "Device added", show(inst))
	}
	if err := s.setWebhook(r.Context(), inst.ID, in); err != nil {
		return err
	}
	kept, err := s.Settings.Get(r.Context(), inst.ID)
	if err != nil {
		return err
	}
	return write(w, "Device added", struct {
		device
		webhook
	}{show(inst), showWebhook(inst.ID, kept)})
}

// removeDevice answers as soon as the removal is certain to happen.
func (s *server) removeDevice(w http.ResponseWriter, r *http.Request, i instances.Instance) error {
	if err := s.Instances.Delete(r.Context(), viewer(r), i.ID); err != nil {
		return err
	}
	return write(w, "Device removed", nil)
}

func (s *server) appStatus(w http.ResponseWriter, i instances.Instance) error {
	return write(w, "Connection status retrieved", map[string]any{
		"device_id": i.ID, "is_connected": i.Status == instances.Connected, "is_logged_in": linked(i), "jid": show(i).JID,
	})
}

func (s *server) deviceStatus(w http.ResponseWriter, _ *http.Request, i instances.Instance) error {
	return write(w, "Device status", map[string]any{
		"device_id": i.ID, "is_connected": i.Status == instances.Connected, "is_logged_in": linked(i),
	})
}

// login shows the code to scan; the number's own API makes it.
func (s *server) login(w http.ResponseWriter, r *http.Request, i instances.Instance) error {
	return s.pass(w, r, i, "/app/login")
}

func (s *server) loginWithCode(w http.ResponseWriter, r *http.Request, i instances.Instance) error {
	r = r.Clone(r.Context())
	r.Method, r.Body, r.ContentLength = http.MethodGet, http.NoBody, 0 // as the number's own API has it
	return s.pass(w, r, i, "/app/login-with-code")
}

func (s *server) logout(w http.ResponseWriter, r *http.Request, i instances.Instance) error {
	if err := s.Instances.Logout(r.Context(), viewer(r), i.ID); err != nil {
		return err
	}
	return write(w, "Device logged out", nil)
}

func (s *server) reconnect(w http.ResponseWriter, r *http.Request, i instances.Instance) error {
	if err := s.connect(r, i); err != nil {
		return err
	}
	return write(w, "Device reconnected", nil)
}

// connect starts a number that is stopped: whoever asks for a connection wants one.
func (s *server) connect(r *http.Request, i instances.Instance) error {
	audit.Of(r.Context()).Instance = string(i.ID)
	if i.Desired == instances.Stopped || i.Status == instances.Failed {
		return s.Instances.Start(r.Context(), viewer(r), i.ID)
	}
	return s.Instances.Reconnect(r.Context(), viewer(r), i.ID)
}

func (s *server) appReconnect(w http.ResponseWriter, r *http.Request, i instances.Instance) error {
	if err := s.connect(r, i); err != nil {
		return err
	}
	return write(w, "Reconnect success", map[string]any{"device_id": i.ID})
}

// readObject reads a body that is a JSON object, a form, or nothing at all.
func readObject(w http.ResponseWriter, r *http.Request, into any) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	body := io.Reader(r.Body)
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if media == "application/x-www-form-urlencoded" || media == "multipart/form-data" {
		object, err := formObject(r, media)
		if err != nil {
			return notReadable(err)
		}
		body = strings.NewReader(object)
	}
	if err := json.NewDecoder(body).Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return notReadable(err)
	}
	return nil
}

// formObject turns a form into the JSON object that it stands for.
func formObject(r *http.Request, media string) (string, error) {
	err := r.ParseForm()
	if media == "multipart/form-data" {
		err = r.ParseMultipartForm(maxForm) //nolint:gosec // the body has been bounded to maxForm by the caller
	}
	if err != nil {
		return "", err
	}
	object := map[string]any{}
	for name, values := range r.PostForm {
		object[name] = values[0]
	}
	text, err := json.Marshal(object)
	return string(text), err
}

func notReadable(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fault.Wrap(fault.TooLarge, "The request is larger than 1 MiB.", err)
	}
	return fault.Wrap(fault.Invalid, "The request is neither a JSON object nor a form.", err)
}
