package api

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"switchboard/fault"
	"switchboard/journal"
)

// The forms of a log, the preferred one first.
var logTypes = []string{"application/json", "application/x-ndjson"}

const (
	linesUsual = 200
	linesMost  = 1000
)

type logLine struct {
	Time    *time.Time        `json:"time"`
	Level   string            `json:"level"`
	Message string            `json:"message"`
	Facts   map[string]string `json:"facts"`
}

// showLog answers with the newest lines that are asked for or, as NDJSON, with everything
// that there is, as the number's process has written it.
func (s *server) showLog(w http.ResponseWriter, r *http.Request) error {
	i, err := s.Instances.Get(viewer(r), instanceID(r))
	if err != nil {
		return err
	}
	w.Header().Set("Vary", "Accept")
	switch accepted(r.Header.Values("Accept"), logTypes) {
	case "application/x-ndjson":
		w.Header().Set("Content-Type", "application/x-ndjson")
		w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", string(i.ID)+".log"))
		if _, err := s.Logs(i.ID).WriteTo(w); err != nil {
			s.Log.Warn("send log failed", "instance", i.ID, "error", err)
			panic(http.ErrAbortHandler) // so that what is cut short is not taken for all
		}
		return nil
	case "":
		return &httpError{http.StatusNotAcceptable, "The log can be had as " + strings.Join(logTypes, ", ") + "."}
	}
	q, err := logQuery(r)
	if err != nil {
		return err
	}
	lines, err := s.Logs(i.ID).Lines(r.Context(), q)
	if err != nil {
		return fault.Wrap(fault.Unavailable, "The log of this number cannot be read at the moment.", err)
	}
	out := make([]logLine, len(lines))
	for n, line := range lines {
		out[n] = logLine{Time: moment(line.Time), Level: strings.ToLower(line.Level.String()), Message: line.Message, Facts: map[string]string{}}
		for _, f := range line.Facts {
			out[n].Facts[f.Name] = f.Value
		}
	}
	return writeJSON(w, http.StatusOK, out)
}

func logQuery(r *http.Request) (journal.Query, error) {
	values := r.URL.Query()
	q := journal.Query{Text: values.Get("text"), Limit: linesUsual}
	level, ok := journal.ParseLevel(values.Get("level"))
	if !ok {
		return q, fault.InField("level", "\"level\" has to be debug, info, warn or error.")
	}
	q.Level = level
	if limit := values.Get("limit"); limit != "" {
		n, err := strconv.Atoi(limit)
		if err != nil || n < 1 || n > linesMost {
			return q, fault.InField("limit", fmt.Sprintf("\"limit\" has to be a number from 1 to %d.", linesMost))
		}
		q.Limit = n
	}
	return q, nil
}
