package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"switchboard/instances"
	"switchboard/qrcode"
)

// The forms of a QR code, the preferred one first.
var codeTypes = []string{"application/json", "image/svg+xml", "image/png"}

func (s *server) showQR(w http.ResponseWriter, r *http.Request) error {
	i, err := s.Instances.Get(viewer(r), instanceID(r))
	if err != nil {
		return err
	}
	w.Header().Set("Vary", "Accept")
	media := accepted(r.Header.Values("Accept"), codeTypes)
	if media == "" {
		return &httpError{http.StatusNotAcceptable, "The code can be had as " + strings.Join(codeTypes, ", ") + "."}
	}
	p := i.Pairing
	if p == nil || p.Code == "" || !time.Now().Before(p.ExpiresAt) {
		return noCode(w, i)
	}
	// For those who take the picture: when to fetch the next one.
	w.Header().Set("Expires", p.ExpiresAt.UTC().Format(http.TimeFormat))
	var picture []byte
	switch media {
	case "image/svg+xml":
		svg, err := qrcode.SVG(p.Code)
		if err != nil {
			return err
		}
		picture = []byte(svg)
	case "image/png":
		if picture, err = qrcode.PNG(p.Code); err != nil {
			return err
		}
	default:
		return writeJSON(w, http.StatusOK, map[string]any{"code": p.Code, "expires_at": p.ExpiresAt.UTC()})
	}
	w.Header().Set("Content-Type", media)
	_, _ = w.Write(picture) // an error means that the client has gone
	return nil
}

// noCode says why there is nothing to scan, and what to do about it.
func noCode(w http.ResponseWriter, i instances.Instance) error {
	e := &nothingToScan{reason: string(i.Reason), status: string(i.Status)}
	if e.reason == "" {
		e.reason = e.status
	}
	switch {
	case i.Status == instances.PairingPhone && i.Reason == "", i.Status == instances.Starting, i.Status == instances.Provisioning:
		w.Header().Set("Retry-After", "1")
		e.detail = "The first code is on its way. Ask again in a second."
	case i.Status == instances.PairingPhone:
		e.detail = "This round of codes is over. POST to .../pair begins a new one."
	case i.Status == instances.LoggedOut:
		e.detail = "The number was logged out. POST to .../pair begins a new round of codes."
	case i.Status == instances.Idle:
		e.detail = "The number is stopped. POST to .../start starts it."
	case i.JID != "":
		e.detail = "The number is paired already; there is nothing to scan."
	default:
		e.detail = "There is nothing to scan while the status is " + string(i.Status) + "."
	}
	return e
}

// start starts a number. One that runs and has no code to show waits for a person: whoever
// starts it wants the next round.
func (s *server) start(ctx context.Context, v instances.Viewer, id instances.ID) error {
	if err := s.Instances.Start(ctx, v, id); err != nil {
		return err
	}
	i, err := s.Instances.Get(v, id)
	if err == nil && (i.Status == instances.LoggedOut || i.Status == instances.PairingPhone && i.Reason != "") {
		err = s.Instances.Pair(ctx, v, id)
	}
	return err
}

func (s *server) pairByCode(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Phone string `json:"phone"`
	}
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	code, err := s.Instances.PairPhone(r.Context(), viewer(r), instanceID(r), in.Phone)
	if err != nil {
		return err
	}
	code.ExpiresAt = code.ExpiresAt.UTC()
	return writeJSON(w, http.StatusOK, code)
}

// accepted returns the type that an Accept header wants most, "" if it wants none of them.
// Of equals the first of types wins.
func accepted(header, types []string) string {
	ranges := strings.Join(header, ",")
	if strings.TrimSpace(ranges) == "" {
		return types[0]
	}
	best, bestQuality := "", 0.0
	for _, t := range types {
		if q := quality(ranges, t); q > bestQuality {
			best, bestQuality = t, q
		}
	}
	return best
}

// quality returns how much an Accept header wants a type: the q of its most specific range.
func quality(ranges, want string) float64 {
	major, _, _ := strings.Cut(want, "/")
	q, specific := 0.0, 0
	for one := range strings.SplitSeq(ranges, ",") {
		media, parameters, _ := strings.Cut(one, ";")
		n := 0
		switch strings.ToLower(strings.TrimSpace(media)) {
		case want:
			n = 3
		case major + "/*":
			n = 2
		case "*/*":
			n = 1
		}
		if n > specific {
			q, specific = weight(parameters), n
		}
	}
	return q
}

func weight(parameters string) float64 {
	for p := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		if q, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err == nil && q >= 0 && q <= 1 {
			return q
		}
	}
	return 1
}
