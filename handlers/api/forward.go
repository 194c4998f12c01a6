package api

import (
	"net/http"
	"strings"

	"switchboard/handlers/relay"
)

// forward passes a request on to the number's own REST API, and its answer back.
func (s *server) forward(w http.ResponseWriter, r *http.Request) error {
	id := instanceID(r)
	worker, err := s.Instances.API(viewer(r), id)
	if err != nil {
		return err
	}
	_, path, _ := strings.Cut(r.URL.EscapedPath(), "/instances/"+string(id)+"/api")
	relay.Relay{Worker: worker, Path: path, Base: s.URL + "/api/v1/instances/" + string(id) + "/api", Fail: s.fail}.ServeHTTP(w, r)
	return nil
}
