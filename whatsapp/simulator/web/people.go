package web

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"time"

	"switchboard/fault"
	"switchboard/whatsapp/simulator"
	"switchboard/whatsapp/simulator/phone"
)

// What the owner of a phone sees and does beside writing: marks of chats, the own profile,
// contacts, calls, channels.

// showView waits until the view's version is above "after", for as long as "wait" says.
func (s *server) showView(w http.ResponseWriter, r *http.Request, p *phone.Phone) error {
	q := r.URL.Query()
	var after int64 = -1
	var wait time.Duration
	var err error
	if q.Has("after") {
		if after, err = strconv.ParseInt(q.Get("after"), 10, 64); err != nil {
			return fault.InField("after", "Give the version that came with the last answer, or 0.")
		}
	}
	if q.Has("wait") {
		if wait, err = time.ParseDuration(q.Get("wait")); err != nil || wait < 0 || wait > maxWait {
			return fault.InField("wait", "Give a time up to a minute, like 30s.")
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	if wait == 0 {
		ctx, after = r.Context(), -1
	}
	view, err := p.View(ctx, after)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, view)
}

func (s *server) showProfile(w http.ResponseWriter, _ *http.Request, p *phone.Phone) error {
	return answer(w, http.StatusOK, p.Profile())
}

func (s *server) changeProfile(w http.ResponseWriter, r *http.Request, p *phone.Phone) error {
	var in struct {
		About    *string             `json:"about"`
		Privacy  map[string]string   `json:"privacy"`
		Business *simulator.Business `json:"business"`
	}
	if err := read(r, &in); err != nil {
		return err
	}
	if in.About != nil {
		if err := p.SetAbout(r.Context(), *in.About); err != nil {
			return err
		}
	}
	if in.Privacy != nil {
		if err := s.network.SetPrivacy(p.Number(), in.Privacy); err != nil {
			return fault.Wrap(fault.Invalid, "There is no such privacy setting.", err)
		}
	}
	if in.Business != nil {
		if err := s.network.SetBusiness(p.Number(), in.Business); err != nil {
			return err
		}
	}
	return answer(w, http.StatusOK, p.Profile())
}

func (s *server) showPicture(w http.ResponseWriter, r *http.Request, p *phone.Phone) error {
	of := r.URL.Query().Get("of")
	if of == "" {
		of = p.Number()
	}
	picture, err := p.Picture(r.Context(), of)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/jpeg")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	_, _ = w.Write(picture) // the client has gone away
	return nil
}

func (s *server) setPicture(w http.ResponseWriter, r *http.Request, p *phone.Phone) error {
	if r.Header.Get("Content-Type") != "image/jpeg" {
		return fault.New(fault.Invalid, "Send the picture as image/jpeg.")
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return unreadable(err)
	}
	if err := p.SetPicture(r.Context(), r.URL.Query().Get("of"), raw); err != nil {
		return err
	}
	return done(w)
}

func (s *server) showPerson(w http.ResponseWriter, r *http.Request, p *phone.Phone) error {
	seen, err := p.See(r.Context(), r.PathValue("other"))
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, seen)
}

func (s *server) saveContact(w http.ResponseWriter, r *http.Request, p *phone.Phone) error {
	var in struct{ Number, Name string }
	if err := read(r, &in); err != nil {
		return err
	}
	if err := p.SaveContact(r.Context(), in.Number, in.Name); err != nil {
		return err
	}
	return done(w)
}

func (s *server) call(w http.ResponseWriter, r *http.Request, p *phone.Phone) error {
	var in struct{ To string }
	if err := read(r, &in); err != nil {
		return err
	}
	c, err := p.Call(r.Context(), in.To)
	if err != nil {
		return err
	}
	return answer(w, http.StatusCreated, c)
}

func (s *server) endCall(w http.ResponseWriter, r *http.Request, p *phone.Phone) error {
	if err := p.EndCall(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	return done(w)
}

func (s *server) listChannels(w http.ResponseWriter, r *http.Request, p *phone.Phone) error {
	all, err := p.Channels(r.Context())
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, map[string]any{"channels": all})
}

func (s *server) createChannel(w http.ResponseWriter, r *http.Request, p *phone.Phone) error {
	var in struct{ Name, Description string }
	if err := read(r, &in); err != nil {
		return err
	}
	c, err := p.CreateChannel(r.Context(), in.Name, in.Description)
	if err != nil {
		return err
	}
	return answer(w, http.StatusCreated, c)
}

func (s *server) followChannel(w http.ResponseWriter, r *http.Request, p *phone.Phone) error {
	var in struct{ Follow, Muted *bool }
	if err := read(r, &in); err != nil {
		return err
	}
	if in.Follow != nil {
		if err := p.FollowChannel(r.Context(), r.PathValue("id"), *in.Follow); err != nil {
			return err
		}
	}
	if in.Muted != nil {
		if err := p.MuteChannel(r.Context(), r.PathValue("id"), *in.Muted); err != nil {
			return err
		}
	}
	return done(w)
}

func (s *server) changeLabel(w http.ResponseWriter, r *http.Request, p *phone.Phone) error {
	var in struct {
		Name    string `json:"name"`
		Deleted bool   `json:"deleted"`
		Chat    string `json:"chat"`
		On      bool   `json:"on"`
	}
	if err := read(r, &in); err != nil {
		return err
	}
	var err error
	if in.Chat != "" {
		err = p.LabelChat(r.Context(), r.PathValue("label"), in.Chat, in.On)
	} else {
		err = p.EditLabel(r.Context(), r.PathValue("label"), in.Name, in.Deleted)
	}
	if err != nil {
		return err
	}
	return done(w)
}

func (s *server) reactInChannel(w http.ResponseWriter, r *http.Request, p *phone.Phone) error {
	var in struct{ Reaction string }
	if err := read(r, &in); err != nil {
		return err
	}
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil {
		return fault.New(fault.NotFound, "A channel's messages are named by numbers.")
	}
	if err := p.ReactInChannel(r.Context(), r.PathValue("id"), n, in.Reaction); err != nil {
		return err
	}
	return done(w)
}

func (s *server) groupLink(w http.ResponseWriter, r *http.Request, p *phone.Phone) error {
	link, err := p.InviteLink(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, map[string]string{"link": link})
}

func (s *server) joinGroup(w http.ResponseWriter, r *http.Request, p *phone.Phone) error {
	var in struct{ Link string }
	if err := read(r, &in); err != nil {
		return err
	}
	id, err := p.JoinGroup(r.Context(), in.Link)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, map[string]string{"id": id})
}
