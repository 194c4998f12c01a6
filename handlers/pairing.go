package handlers

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/qrcode"
	"switchboard/views"
)

// reportDelay is the longest that a worker's report may come behind its answer.
const reportDelay = 2 * time.Second

func (s *server) pairingLive(ctx context.Context, inst instances.Instance, passkey views.Form) (views.Live, error) {
	p := views.Pairing{Instance: inst, Passkey: passkey}
	if inst.Status == instances.PairingPhone && inst.Pairing != nil && inst.Pairing.Code != "" {
		picture, err := qrcode.SVG(inst.Pairing.Code)
		if err != nil {
			return views.Live{}, err
		}
		p.QR = picture
	}
	card, every := views.PairingCard(p), "1s"
	switch views.StageOf(inst) {
	case views.StagePair, views.StagePasskey:
	case views.StageRanOut:
		every = "" // the status card notices when new codes come
	default:
		// The status card brings what follows a pairing. While that is open this part goes on
		// asking: an interruption may be over before the card has seen it.
		card = views.PairingOver()
		if inst.Status.Settled() || inst.Status == instances.Deleting {
			every = ""
		}
	}
	return views.NewLive(ctx, "pairing", "/instances/"+string(inst.ID)+"/pairing", every, card)
}

// pollPairing answers with the code on show, or with what stands in its place.
func (s *server) pollPairing(w http.ResponseWriter, r *http.Request) error {
	inst, err := s.get(r)
	if err != nil {
		return err
	}
	live, err := s.pairingLive(r.Context(), inst, views.Form{})
	if err != nil {
		return err
	}
	return renderLive(w, r, live)
}

func (s *server) pairPhone(w http.ResponseWriter, r *http.Request) error {
	form := views.Form{Values: typed(r, "phone")}
	status := http.StatusOK
	var code instances.PhoneCode
	phone, err := parsePhone("phone", r.PostFormValue("phone"), s.region(r, instanceID(r)))
	if err == nil {
		code, err = s.Instances.PairPhone(r.Context(), viewer(r), instanceID(r), phone)
	}
	if err != nil {
		problems, ok := refused(err)
		if !ok {
			return err
		}
		if whole := problems[""]; whole != "" {
			problems["phone"] = whole // the form has one field; its place is there
		}
		form.Errors, status = problems, formStatus(err)
	}
	inst, err := s.reported(r, func(inst instances.Instance) bool {
		return len(form.Errors) > 0 || inst.Pairing != nil && inst.Pairing.PhoneCode == code.Code
	})
	if err != nil {
		return err
	}
	switch {
	case isFragment(r):
		return render(w, r, status, views.PhoneCode(inst, form))
	case len(form.Errors) > 0:
		return s.renderNumber(w, r, status, views.Number{Instance: inst, Phone: form}, 0)
	}
	s.redirect(w, r, "/instances/"+string(inst.ID)+"#phone-code-card")
	return nil
}

// reported returns the number as soon as its worker has reported what it has just answered;
// the report goes another way than the answer. A report that does not come is not waited
// for: the page shows what there is.
func (s *server) reported(r *http.Request, has func(instances.Instance) bool) (instances.Instance, error) {
	ctx, cancel := context.WithTimeout(r.Context(), reportDelay)
	defer cancel()
	for {
		changed := s.Instances.Changed(viewer(r), instanceID(r))
		inst, err := s.get(r)
		if err != nil || has(inst) {
			return inst, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return inst, nil
		}
	}
}

func (s *server) answerPasskey(w http.ResponseWriter, r *http.Request) error {
	credential := []byte(r.PostFormValue("credential"))
	err := checkCredential(credential)
	if err == nil {
		err = s.Instances.AnswerPasskey(r.Context(), viewer(r), instanceID(r), credential)
	}
	if err == nil {
		return s.afterPasskey(w, r)
	}
	problems, ok := refused(err)
	if !ok {
		return err
	}
	if whole := problems[""]; whole != "" {
		problems["credential"] = whole
	}
	form, status := views.Form{Values: typed(r, "credential"), Errors: problems}, formStatus(err)
	inst, err := s.get(r)
	if err != nil {
		return err
	}
	if !isFragment(r) {
		return s.renderNumber(w, r, status, views.Number{Instance: inst, Passkey: form}, 0)
	}
	live, err := s.pairingLive(r.Context(), inst, form)
	if err != nil {
		return err
	}
	return render(w, r, status, live.Again())
}

// checkCredential refuses what cannot be the answer of a passkey before WhatsApp does.
func checkCredential(credential []byte) error {
	var c struct {
		ID       string `json:"id"`
		RawID    string `json:"rawId"`
		Type     string `json:"type"`
		Response struct {
			ClientDataJSON    string `json:"clientDataJSON"`
			AuthenticatorData string `json:"authenticatorData"`
			Signature         string `json:"signature"`
		} `json:"response"`
	}
	if err := json.Unmarshal(credential, &c); err != nil || c.RawID == "" ||
		c.Response.ClientDataJSON == "" || c.Response.AuthenticatorData == "" || c.Response.Signature == "" {
		return fault.InField("credential", "This is not the answer of a passkey. Copy all that the browser showed, from the first { to the last }.")
	}
	return nil
}

func (s *server) confirmPasskey(w http.ResponseWriter, r *http.Request) error {
	if err := s.Instances.ConfirmPasskey(r.Context(), viewer(r), instanceID(r)); err != nil {
		return err
	}
	return s.afterPasskey(w, r)
}

// afterPasskey answers with the pairing as it is now; what follows is polled for.
func (s *server) afterPasskey(w http.ResponseWriter, r *http.Request) error {
	if !isFragment(r) {
		s.redirect(w, r, "/instances/"+string(instanceID(r)))
		return nil
	}
	inst, err := s.get(r)
	if err != nil {
		return err
	}
	live, err := s.pairingLive(r.Context(), inst, views.Form{})
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, live.Again())
}
