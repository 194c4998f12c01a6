package handlers

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"switchboard/audit"
	"switchboard/fault"
	"switchboard/views"
)

const auditPage = 100

// auditQuery is what the fields of the search say; a date that is none is left out. Words that
// only the page has, for actions and as names of numbers, are found as well.
func (s *server) auditQuery(r *http.Request) audit.Query {
	q := r.URL.Query()
	out := audit.Query{Text: q.Get("q"), Instance: q.Get("instance")}
	if out.Text != "" {
		out.Actions = views.ActionsOf(out.Text)
		for _, inst := range s.Instances.List(viewer(r)) {
			if strings.Contains(strings.ToLower(inst.Name), strings.ToLower(out.Text)) {
				out.Instances = append(out.Instances, string(inst.ID))
			}
		}
	}
	out.From, _ = time.Parse(time.DateOnly, q.Get("from"))
	if to, err := time.Parse(time.DateOnly, q.Get("to")); err == nil {
		out.To = to.AddDate(0, 0, 1) // the whole of that day
	}
	out.Before, _ = strconv.ParseInt(q.Get("before"), 10, 64)
	return out
}

func (s *server) auditLog() (*audit.Log, error) {
	if s.Audit == nil {
		return nil, fault.New(fault.NotFound, "No audit log is kept here.")
	}
	return s.Audit, nil
}

func (s *server) showAudit(w http.ResponseWriter, r *http.Request) error {
	log, err := s.auditLog()
	if err != nil {
		return err
	}
	q := s.auditQuery(r)
	q.Limit = auditPage + 1
	entries, err := log.Entries(r.Context(), q)
	if err != nil {
		return err
	}
	page := views.Audit{Entries: entries[:min(auditPage, len(entries))], Query: r.URL.Query(), More: len(entries) > auditPage,
		Names: map[string]string{}, Targets: map[string]string{}}
	for _, inst := range s.Instances.List(viewer(r)) {
		page.Names[string(inst.ID)] = inst.Name
	}
	people, err := s.Auth.ListUsers(r.Context())
	if err != nil {
		return err
	}
	for _, p := range people {
		page.Targets[strconv.FormatInt(p.ID, 10)] = p.Email
	}
	groups, err := s.Auth.Groups(r.Context())
	if err != nil {
		return err
	}
	for _, g := range groups {
		page.Targets[g.ID] = g.Name
	}
	if r.URL.Query().Has("verify") {
		count, err := log.Verify(r.Context())
		page.Verified = fmt.Sprintf("All %d entries are as they were written.", count)
		if err != nil {
			page.Broken, page.Verified = fault.MessageOf(err), ""
		}
	}
	return render(w, r, http.StatusOK, views.AuditLog(page))
}

// exportAudit sends every entry that the search finds, for download.
func (s *server) exportAudit(w http.ResponseWriter, r *http.Request) error {
	log, err := s.auditLog()
	if err != nil {
		return err
	}
	audit.Of(r.Context()).Action = "audit.export"
	entries, err := log.Entries(r.Context(), s.auditQuery(r))
	if err != nil {
		return err
	}
	name := "switchboard-audit-" + time.Now().UTC().Format("20060102-150405")
	if r.URL.Query().Get("format") == "jsonl" {
		w.Header().Set("Content-Type", "application/jsonl")
		w.Header().Set("Content-Disposition", `attachment; filename="`+name+`.jsonl"`)
		return audit.WriteJSONL(w, entries)
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`.csv"`)
	return audit.WriteCSV(w, entries)
}
