package gowa

import (
	"context"
	"net/http"
)

// Calls is what the operations on calls need.
type Calls interface {
	RejectCall(ctx context.Context, caller, id string) error
}

var callRoutes = []route{
	{method: http.MethodPost, path: "/call/reject", do: (*API).rejectCall},
}

func (a *API) rejectCall(r *request) (string, any, error) {
	caller, id := r.address("caller_jid"), r.required("call_id")
	if err := r.err(); err != nil {
		return "", nil, err
	}
	return "Call rejected successfully", nil, a.o.Number.RejectCall(r.Context(), caller, id)
}
