package api

import (
	"net/http"

	"switchboard/auth"
	"switchboard/fault"
)

// secondStep says whose people have to have a second step at sign-in.
type secondStep struct {
	Roles []auth.Role `json:"roles"`
}

func (s *server) showSecondStep(w http.ResponseWriter, r *http.Request) error {
	roles, err := s.People.SecondStepRoles(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, secondStep{list(roles)})
}

func (s *server) requireSecondStep(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Roles *[]auth.Role `json:"roles"`
	}
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	if in.Roles == nil { // nobody is freed by a word that was forgotten
		return fault.InField("roles", "Give the roles whose people have to have a second step, none of them as [].")
	}
	if err := s.People.RequireSecondStep(r.Context(), user(r), *in.Roles); err != nil {
		return err
	}
	return s.showSecondStep(w, r)
}
