package handlers

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"switchboard/audit"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/journal"
	"switchboard/views"
)

const logLines = 200 // on the page

// filter reads what a person wants to see of a log. An unknown level, which no form of the
// panel sends, is every level.
func filter(r *http.Request) views.LogFilter {
	f := views.LogFilter{Level: r.URL.Query().Get("level"), Text: r.URL.Query().Get("text")}
	if _, ok := journal.ParseLevel(f.Level); !ok {
		f.Level = ""
	}
	return f
}

func (s *server) showLog(w http.ResponseWriter, r *http.Request) error {
	inst, err := s.get(r)
	if err != nil {
		return err
	}
	f := filter(r)
	live, err := s.logLive(r.Context(), inst, f)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.ShowLog(inst, f, live))
}

// pollLog answers with the lines when there are new ones. Finding out costs one look at the
// file, so that a log which nobody writes can be watched for hours.
func (s *server) pollLog(w http.ResponseWriter, r *http.Request) error {
	inst, err := s.get(r)
	if err != nil {
		return err
	}
	if r.URL.Query().Get("state") == s.Logs(inst.ID).State() {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	live, err := s.logLive(r.Context(), inst, filter(r))
	if err != nil {
		return err
	}
	return renderLive(w, r, live)
}

func (s *server) logLive(ctx context.Context, inst instances.Instance, f views.LogFilter) (views.Live, error) {
	log := s.Logs(inst.ID)
	level, _ := journal.ParseLevel(f.Level)
	state := log.State()
	lines, err := log.Lines(ctx, journal.Query{Level: level, Text: f.Text, Limit: logLines})
	if err != nil {
		return views.Live{}, fault.Wrap(fault.Unavailable, "The log of this number cannot be read at the moment.", err)
	}
	q := url.Values{"level": {f.Level}, "text": {f.Text}, "state": {state}}
	return views.NewLive(ctx, "log", "/instances/"+string(inst.ID)+"/log/lines?"+q.Encode(), views.LogPace(inst), views.LogLines(lines, f))
}

// downloadLog sends everything that there is, as the number's process has written it.
func (s *server) downloadLog(w http.ResponseWriter, r *http.Request) error {
	inst, err := s.get(r)
	if err != nil {
		return err
	}
	audit.Of(r.Context()).Action = "instances.log.download"
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", string(inst.ID)+".log"))
	if _, err := s.Logs(inst.ID).WriteTo(w); err != nil {
		s.Log.WarnContext(r.Context(), "send log failed", "instance", inst.ID, "error", err)
		panic(http.ErrAbortHandler) // so that what is cut short is not taken for all
	}
	return nil
}
