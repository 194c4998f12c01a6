package handlers

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/keys"
	"switchboard/settings"
	"switchboard/views"
)

// Keys makes and revokes the keys of numbers; *keys.Ring is one. It is asked only after the
// supervisor has said that the person may see the number.
type Keys interface {
	List(ctx context.Context, id instances.ID) ([]settings.Key, error)
	Add(ctx context.Context, id instances.ID, in keys.New) (settings.Key, string, error)
	Revoke(ctx context.Context, id instances.ID, key string) error
}

func (s *server) showAccess(w http.ResponseWriter, r *http.Request) error {
	r, _ = s.withFlash(w, r)
	return s.renderAccess(w, r, http.StatusOK, views.Access{})
}

func (s *server) renderAccess(w http.ResponseWriter, r *http.Request, status int, a views.Access) error {
	var err error
	if a.Instance, err = s.get(r); err != nil {
		return err
	}
	if a.Keys, err = s.Keys.List(r.Context(), a.Instance.ID); err != nil {
		return err
	}
	a.Address = s.WorkerURL(a.Instance.Port)
	if s.Gateway != nil {
		a.Gateway = s.GatewayURL
	}
	return render(w, r, status, views.ShowAccess(a))
}

// createKey answers with the page itself, not with a redirect: the secret is shown once and
// kept nowhere.
func (s *server) createKey(w http.ResponseWriter, r *http.Request) error {
	inst, err := s.get(r)
	if err != nil {
		return err
	}
	in := keys.New{Name: r.PostFormValue("name")}
	for _, scope := range strings.Fields(r.PostFormValue("may")) {
		in.Scopes = append(in.Scopes, keys.Scope(scope))
	}
	days, err := strconv.Atoi(r.PostFormValue("days"))
	if err != nil || days < 0 || days > 3650 {
		err = fault.New(fault.Invalid, "Choose how long the key works.")
	} else if days > 0 {
		in.Expires = time.Now().AddDate(0, 0, days)
	}
	secret := ""
	if err == nil {
		_, secret, err = s.Keys.Add(r.Context(), inst.ID, in)
	}
	if err != nil {
		problems, ok := refused(err)
		if !ok {
			return err
		}
		return s.renderAccess(w, r, formStatus(err), views.Access{Key: views.Form{Values: typed(r, "name", "may", "days"), Errors: problems}})
	}
	return s.renderAccess(w, r, http.StatusCreated, views.Access{Secret: secret})
}

func (s *server) revokeKey(w http.ResponseWriter, r *http.Request) error {
	inst, err := s.get(r)
	if err != nil {
		return err
	}
	if err := s.Keys.Revoke(r.Context(), inst.ID, chi.URLParam(r, "key")); err != nil {
		return err
	}
	s.setFlash(w, r, "key-revoked")
	s.redirect(w, r, "/instances/"+string(inst.ID)+"/access#keys")
	return nil
}
