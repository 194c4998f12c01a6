package handlers

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/go-chi/chi/v5"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/sending"
	"switchboard/views"
)

const longestQueue = 200 // on the page

// Queue reads what a number is to send, in the order in which it is due. It is asked only
// after the supervisor has said that the person may see the number.
type Queue interface {
	Waiting(ctx context.Context, id instances.ID, limit int) ([]sending.Send, error)
}

func (s *server) showQueue(w http.ResponseWriter, r *http.Request) error {
	r, _ = s.withFlash(w, r)
	inst, err := s.get(r)
	if err != nil {
		return err
	}
	waiting, err := s.Queue.Waiting(r.Context(), inst.ID, longestQueue)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.ShowQueue(inst, waiting))
}

// cancelSend asks the number's own process, which knows whether it is not too late.
func (s *server) cancelSend(w http.ResponseWriter, r *http.Request) error {
	inst, err := s.get(r)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(r.Context(), http.MethodDelete, "http://worker/queue/"+url.PathEscape(chi.URLParam(r, "send")), nil) //nolint:gosec // it goes down the number's socket, whatever the address says
	if err != nil {
		return fault.Wrap(fault.NotFound, "There is nothing with this id in the queue.", err)
	}
	answer, err := s.ask(r, inst.ID, request)
	if err != nil {
		return err
	}
	if answer.Code >= http.StatusBadRequest {
		var told struct{ Message string }
		_ = json.Unmarshal([]byte(answer.Body), &told) // without a message the general one is shown
		return fault.New(fault.Conflict, told.Message)
	}
	s.setFlash(w, r, "send-cancelled")
	s.redirect(w, r, "/instances/"+string(inst.ID)+"/queue")
	return nil
}
