package web

import (
	"encoding/hex"
	"net/http"
	"time"

	"switchboard/fault"
	"switchboard/whatsapp/simulator"
)

// Target says whom a fault strikes: one device of a number, all linked devices of it, or with
// neither everybody. Phones (device 0) are struck only when they are named.
type Target struct {
	Number string  `json:"number,omitempty"`
	Device *uint16 `json:"device,omitempty"`
}

// Logins is how coming logins fail.
type Logins struct {
	Target
	Reason        int `json:"reason"` // 401, 402 (ban), 403, 405 (outdated), 503 …; 0 ends the fault
	Code          int `json:"code,omitempty"`
	ExpireSeconds int `json:"expire_seconds,omitempty"`
	Times         int `json:"times,omitempty"` // how many logins; 0 = until it is ended
}

func (t Target) target() simulator.Target {
	return simulator.Target{Number: t.Number, Device: t.Device}
}

// Network is where a client finds the network and how it recognises it.
type Network struct {
	Addr    string `json:"addr"`
	RootKey string `json:"root_key"` // hexadecimal
}

func (s *server) showNetwork(w http.ResponseWriter, _ *http.Request) error {
	key := s.network.RootKey()
	return answer(w, http.StatusOK, Network{Addr: s.network.Addr(), RootKey: hex.EncodeToString(key[:])})
}

// Connection is one live connection to the network.
type Connection struct {
	ID     int64     `json:"id"` // never used twice
	Number string    `json:"number"`
	Device uint16    `json:"device"`
	JID    string    `json:"jid"` // "" while a device is being linked
	Since  time.Time `json:"since"`
	Logins int       `json:"logins"`
}

func (s *server) listConnections(w http.ResponseWriter, _ *http.Request) error {
	all := []Connection{}
	for _, c := range s.network.Connections() {
		out := Connection{ID: c.ID, Number: c.JID.User, Device: c.JID.Device, Since: c.Since, Logins: c.Logins}
		if !c.JID.IsEmpty() {
			out.JID = c.JID.String()
		}
		all = append(all, out)
	}
	return answer(w, http.StatusOK, map[string]any{"connections": all})
}

// Stats counts since the network was opened.
type Stats struct {
	Connections int64 `json:"connections"`
	Logins      int64 `json:"logins"`
	Messages    int64 `json:"messages"`
	Deliveries  int64 `json:"deliveries"`
	Receipts    int64 `json:"receipts"`
	Retries     int64 `json:"retries"`
	Iqs         int64 `json:"iqs"`
	UnknownIqs  int64 `json:"unknown_iqs"`
	Queued      int64 `json:"queued"`
}

func (s *server) showStats(w http.ResponseWriter, _ *http.Request) error {
	return answer(w, http.StatusOK, Stats(s.network.Stats()))
}

// Struck says how many connections a fault has struck.
type Struck struct {
	Struck int `json:"struck"`
}

func (s *server) drop(w http.ResponseWriter, r *http.Request) error {
	var in Target
	if err := read(r, &in); err != nil {
		return err
	}
	return answer(w, http.StatusOK, Struck{s.network.Drop(in.target())})
}

func (s *server) silence(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Target
		On bool `json:"on"`
	}
	if err := read(r, &in); err != nil {
		return err
	}
	return answer(w, http.StatusOK, Struck{s.network.Silence(in.target(), in.On)})
}

func (s *server) failStream(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Target
		Error simulator.StreamError `json:"error"`
	}
	if err := read(r, &in); err != nil {
		return err
	}
	switch in.Error {
	case simulator.StreamReplaced, simulator.StreamRemoved, simulator.StreamUnavailable, simulator.StreamRestart:
	default:
		return fault.InField("error", "The stream errors are replaced, device_removed, 503 and 515.")
	}
	return answer(w, http.StatusOK, Struck{s.network.FailStream(in.target(), in.Error)})
}

func (s *server) failLogins(w http.ResponseWriter, r *http.Request) error {
	var in Logins
	if err := read(r, &in); err != nil {
		return err
	}
	var f *simulator.LoginFailure
	if in.Reason != 0 {
		f = &simulator.LoginFailure{Reason: in.Reason, Code: in.Code, Expire: time.Duration(in.ExpireSeconds) * time.Second, Times: in.Times}
	}
	s.network.FailLogins(in.target(), f)
	return done(w)
}

func (s *server) refuseSends(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Target
		Code int `json:"code"` // 463 for example; 0 ends the fault
	}
	if err := read(r, &in); err != nil {
		return err
	}
	s.network.RefuseSends(in.target(), in.Code)
	return done(w)
}

func (s *server) restart(w http.ResponseWriter, r *http.Request) error {
	if err := s.network.Restart(r.Context()); err != nil {
		return fault.Wrap(fault.Internal, "The simulated network did not come back. Its log says why.", err)
	}
	return done(w)
}

func (s *server) refuseUploads(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Target
		On bool `json:"on"`
	}
	if err := read(r, &in); err != nil {
		return err
	}
	s.network.RefuseUploads(in.target(), in.On)
	return done(w)
}

func (s *server) losePasskeys(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Number string `json:"number"`
		Times  int    `json:"times"`
	}
	if err := read(r, &in); err != nil {
		return err
	}
	if _, err := s.fleet.Phone(in.Number); err != nil {
		return err
	}
	if in.Times < 0 {
		return fault.InField("times", "Give how many answers are to be lost.")
	}
	s.network.LosePasskeys(in.Number, in.Times)
	return done(w)
}
