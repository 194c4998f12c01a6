package instances

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"switchboard/fault"
)

const awaitLimit = 2 * time.Second

// What a worker can be asked in which status.
var (
	linked   = []Status{Connected, Reconnecting, Restricted, Outdated, Replaced}
	unlinked = []Status{PairingPhone, PasskeyRequired, LoggedOut}
	passkey  = []Status{PasskeyRequired, PairingPhone}
	sending  = []Status{Connected, Restricted}
)

// Pair begins a new round of QR codes. A number that is linked already is a
// fault.Conflict.
func (s *Supervisor) Pair(ctx context.Context, v Viewer, id ID) error {
	w, err := s.pairing(ctx, v, id)
	if err != nil {
		return err
	}
	if err := w.Pair(ctx); err != nil {
		return err
	}
	s.await(ctx, v, id, PairingPhone)
	return nil
}

// PairPhone asks WhatsApp for a code to type on the phone with that number.
func (s *Supervisor) PairPhone(ctx context.Context, v Viewer, id ID, phone string) (PhoneCode, error) {
	phone, err := CheckPhone(phone)
	if err != nil {
		return PhoneCode{}, err
	}
	w, err := s.pairing(ctx, v, id)
	if err != nil {
		return PhoneCode{}, err
	}
	return w.PairPhone(ctx, phone)
}

// pairing returns the worker of an unlinked number. Whoever pairs has read why the worker
// before ended.
func (s *Supervisor) pairing(ctx context.Context, v Viewer, id ID) (Worker, error) {
	w, err := s.ask(v, id, unlinked)
	if err != nil {
		return nil, err
	}
	return w, s.command(ctx, v, id, func(r *runner) error {
		r.carried = ""
		return nil
	})
}

// AnswerPasskey passes on the authenticator's PublicKeyCredential (JSON).
func (s *Supervisor) AnswerPasskey(ctx context.Context, v Viewer, id ID, credential []byte) error {
	w, err := s.ask(v, id, passkey)
	if err != nil {
		return err
	}
	return w.AnswerPasskey(ctx, credential)
}

// ConfirmPasskey says that the person compared the code with the phone.
func (s *Supervisor) ConfirmPasskey(ctx context.Context, v Viewer, id ID) error {
	w, err := s.ask(v, id, passkey)
	if err != nil {
		return err
	}
	return w.ConfirmPasskey(ctx)
}

// Logout unlinks a number from its phone. Its worker runs on, so that it can be paired
// again.
func (s *Supervisor) Logout(ctx context.Context, v Viewer, id ID) error {
	w, err := s.ask(v, id, linked)
	if err != nil {
		return err
	}
	if err := w.Logout(ctx); err != nil {
		return err
	}
	s.await(ctx, v, id, LoggedOut)
	return nil
}

// Reconnect makes a number's connection to WhatsApp anew.
func (s *Supervisor) Reconnect(ctx context.Context, v Viewer, id ID) error {
	w, err := s.ask(v, id, linked)
	if err != nil {
		return err
	}
	return w.Reconnect(ctx)
}

// SendText sends a text and returns when WhatsApp's server has acknowledged it, or, where the
// number has a pace and its turn does not come soon, when it is kept to be sent then. to is a
// JID or a phone number in digits.
func (s *Supervisor) SendText(ctx context.Context, v Viewer, id ID, to, text string) (Sent, error) {
	w, err := s.ask(v, id, sending)
	if err != nil {
		return Sent{}, err
	}
	return w.SendText(ctx, to, text)
}

// API returns the way to the REST API of a number's worker.
func (s *Supervisor) API(v Viewer, id ID) (http.RoundTripper, error) {
	w, err := s.ask(v, id, ofWorker)
	if err != nil {
		return nil, err
	}
	return w.API(), nil
}

// Outbox asks a number's worker for something about its events; see Worker.
func (s *Supervisor) Outbox(ctx context.Context, v Viewer, id ID, what string, in, out any) error {
	w, err := s.ask(v, id, ofWorker)
	if err != nil {
		return err
	}
	return w.Outbox(ctx, what, in, out)
}

// Events streams a number's events; see Worker.
func (s *Supervisor) Events(ctx context.Context, v Viewer, id ID, after string, tell func(json.RawMessage) error) error {
	w, err := s.ask(v, id, ofWorker)
	if err != nil {
		return err
	}
	return w.Events(ctx, after, tell)
}

// await gives the report that follows from an answered question a moment to come, so that
// whoever asked sees its effect.
func (s *Supervisor) await(ctx context.Context, v Viewer, id ID, status Status) {
	ctx, cancel := context.WithTimeout(ctx, awaitLimit)
	defer cancel()
	for {
		changed := s.Changed(v, id)
		if inst, err := s.Get(v, id); err != nil || inst.Status == status {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// ask returns the worker of an instance if its status is one of those.
func (s *Supervisor) ask(v Viewer, id ID, in []Status) (Worker, error) {
	r, err := s.runner(v, id)
	if err != nil {
		return nil, err
	}
	r.mu.RLock()
	w, inst := r.asked, r.seen
	r.mu.RUnlock()
	if w == nil || !slices.Contains(in, inst.Status) {
		if slices.Contains(in, LoggedOut) && slices.Contains(linked, inst.Status) {
			inst.Status = Connected // for linking, linked is linked
		}
		return nil, fault.New(fault.Conflict, notNow(inst.Status))
	}
	return w, nil
}

// notNow says why a number cannot do what was asked, and what to do.
func notNow(s Status) string {
	switch s {
	case Provisioning, Starting:
		return "This number is still starting. Try again in a few seconds."
	case Idle:
		return "This number is stopped. Start it first."
	case Backoff:
		return "The process of this number ended and is being started again. Try again in a few seconds."
	case Failed:
		return "This number does not run. Start it again first."
	case Stopping:
		return "This number is being stopped. Start it again first."
	case Deleting:
		return "This number is being deleted."
	case PairingPhone, PasskeyRequired, LoggedOut:
		return "This number is not linked to a phone. Link it first."
	case Connected, Restricted:
		return "This number is linked to a phone already. Log it out first to link another one."
	case Replaced:
		return "Another program took over the session of this number. Reconnect it first."
	case Outdated:
		return "WhatsApp no longer accepts this version of Switchboard. Update Switchboard first."
	}
	return "This number is not connected to WhatsApp right now. Try again in a moment." // Reconnecting
}
