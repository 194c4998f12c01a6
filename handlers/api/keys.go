package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/go-chi/chi/v5"

	"switchboard/auth"
	"switchboard/instances"
	"switchboard/keys"
	"switchboard/settings"
)

// Keys makes and revokes the keys of numbers; keys.Ring is one.
type Keys interface {
	List(ctx context.Context, id instances.ID) ([]settings.Key, error)
	Add(ctx context.Context, id instances.ID, in keys.New) (settings.Key, string, error)
	Revoke(ctx context.Context, id instances.ID, key string) error
}

// key is how the API shows a key of a number.
type key struct {
	ID        string       `json:"id"`
	Name      string       `json:"name"`
	Scopes    []keys.Scope `json:"scopes"`
	CreatedAt *time.Time   `json:"created_at"`
	ExpiresAt *time.Time   `json:"expires_at"`
	LastUsed  *time.Time   `json:"last_used_at"`
	Secret    string       `json:"key,omitempty"`
}

func showKey(k settings.Key, used time.Time) key {
	out := key{ID: k.ID, Name: k.Name, CreatedAt: moment(k.CreatedAt), ExpiresAt: moment(k.ExpiresAt), LastUsed: moment(used)}
	for _, scope := range keys.Scopes {
		if keys.May(k, scope) {
			out.Scopes = append(out.Scopes, scope)
		}
	}
	return out
}

func (s *server) listKeys(w http.ResponseWriter, r *http.Request) error {
	i, err := s.Instances.Get(viewer(r), instanceID(r))
	if err != nil {
		return err
	}
	list, err := s.Keys.List(r.Context(), i.ID)
	if err != nil {
		return err
	}
	out := make([]key, 0, len(list))
	for _, k := range list {
		out = append(out, showKey(k, i.KeysUsed[k.ID]))
	}
	return writeJSON(w, http.StatusOK, out)
}

// createKey answers with the key itself, which is shown this once.
func (s *server) createKey(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Name      string       `json:"name"`
		Scopes    []keys.Scope `json:"scopes"`
		ExpiresAt *time.Time   `json:"expires_at"`
	}
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	i, err := s.Instances.Get(viewer(r), instanceID(r))
	if err != nil {
		return err
	}
	for _, scope := range keys.Scopes { // nobody gives what they do not have
		if len(in.Scopes) > 0 && !slices.Contains(in.Scopes, scope) {
			continue
		}
		if err := user(r).Need(auth.Scope(scope)); err != nil {
			return err
		}
	}
	wish := keys.New{Name: in.Name, Scopes: in.Scopes}
	if in.ExpiresAt != nil {
		wish.Expires = in.ExpiresAt.UTC()
	}
	k, secret, err := s.Keys.Add(r.Context(), i.ID, wish)
	if err != nil {
		return err
	}
	out := showKey(k, time.Time{})
	out.Secret = secret
	return writeJSON(w, http.StatusCreated, out)
}

func (s *server) revokeKey(w http.ResponseWriter, r *http.Request) error {
	i, err := s.Instances.Get(viewer(r), instanceID(r))
	if err != nil {
		return err
	}
	if err := s.Keys.Revoke(r.Context(), i.ID, chi.URLParam(r, "key")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
