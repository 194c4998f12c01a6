package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"switchboard/audit"
	"switchboard/fault"
	"switchboard/instances"
)

// instance is how the API shows a number. Texts are "" and everything else null where
// there is nothing to tell.
type instance struct {
	ID        instances.ID       `json:"id"`
	Name      string             `json:"name"`
	Phone     string             `json:"phone"`
	JID       string             `json:"jid"`
	Desired   instances.Desired  `json:"desired"`
	Status    instances.Status   `json:"status"`
	Reason    instances.Reason   `json:"reason"`
	Since     *time.Time         `json:"since"`
	PID       *int               `json:"pid"`
	Port      *int               `json:"port"`
	Database  instances.Database `json:"database"`
	Restarts  int                `json:"restarts"`
	CreatedAt *time.Time         `json:"created_at"`
	StartedAt *time.Time         `json:"started_at"`
	Resources *usage             `json:"resources"`
	Limits    *limits            `json:"limits"`
}

type usage struct {
	CPUPercent float64 `json:"cpu_percent"`
	RSSBytes   int64   `json:"rss_bytes"`
	OwnBytes   int64   `json:"own_bytes"`
	OpenFiles  int     `json:"open_files"`
}

func (s *server) show(i instances.Instance) instance {
	paired, _, _ := strings.Cut(i.JID, "@") // with device: 491701234567:3@s.whatsapp.net
	paired, _, _ = strings.Cut(paired, ":")
	out := instance{
		ID: i.ID, Name: i.Name, Phone: cmp.Or(paired, i.Phone), JID: i.JID,
		Desired: i.Desired, Status: i.Status, Reason: i.Reason, Since: moment(i.Since),
		PID: number(i.PID), Port: number(i.Port), Database: i.Database, Restarts: i.Restarts,
		CreatedAt: moment(i.CreatedAt), StartedAt: moment(i.StartedAt),
	}
	if i.PID != 0 {
		out.Limits = s.inForce(i)
		if u, ok := s.Usage(i.ID, i.PID); ok {
			out.Resources = &usage{u.CPUPercent, u.RSSBytes, u.OwnBytes, u.OpenFiles}
		}
	}
	return out
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func number(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}

func (s *server) listInstances(w http.ResponseWriter, r *http.Request) error {
	list := s.Instances.List(viewer(r))
	out := make([]instance, 0, len(list))
	for _, i := range list {
		out = append(out, s.show(i))
	}
	return writeJSON(w, http.StatusOK, out)
}

func (s *server) showInstance(w http.ResponseWriter, r *http.Request) error {
	i, err := s.Instances.Get(viewer(r), instanceID(r))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, s.show(i))
}

func (s *server) createInstance(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Name  string `json:"name"`
		Phone string `json:"phone"`
	}
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	request, err := requestID(r)
	if err != nil {
		return err
	}
	i, err := s.Instances.Create(r.Context(), viewer(r), instances.New{Name: in.Name, Phone: in.Phone, RequestID: request})
	if err != nil {
		return err
	}
	audit.Of(r.Context()).Instance = string(i.ID)
	if request != "" && i.Name != strings.Join(strings.Fields(in.Name), " ") {
		return fault.InField("Idempotency-Key", "This Idempotency-Key has been used for another number. Use a new one for every number.")
	}
	w.Header().Set("Location", s.BasePath+"/api/v1/instances/"+url.PathEscape(string(i.ID)))
	return writeJSON(w, http.StatusCreated, s.show(i))
}

// requestID turns the header Idempotency-Key into one that no other person's can meet.
func requestID(r *http.Request) (string, error) {
	key := r.Header.Get("Idempotency-Key")
	if key == "" {
		return "", nil
	}
	if len(key) > 200 || strings.IndexFunc(key, func(c rune) bool { return c < ' ' || c > '~' }) >= 0 {
		return "", fault.InField("Idempotency-Key", "An Idempotency-Key has 200 characters at most, all of them printable ASCII.")
	}
	return fmt.Sprintf("api:%d:%s", user(r).ID, key), nil
}

func (s *server) changeInstance(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Name    *string            `json:"name"`
		Desired *instances.Desired `json:"desired"`
	}
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	v, id := viewer(r), instanceID(r)
	// What does not exist is said before what is wrong with the wish.
	if _, err := s.Instances.Get(v, id); err != nil {
		return err
	}
	if in.Name == nil && in.Desired == nil {
		return fault.New(fault.Invalid, "There is nothing to change: send \"name\", \"desired\" or both.")
	}
	var turn func(context.Context, instances.Viewer, instances.ID) error
	if in.Desired != nil {
		switch *in.Desired {
		case instances.Running:
			turn = s.Instances.Start
		case instances.Stopped:
			turn = s.Instances.Stop
		default:
			return fault.InField("desired", "\"desired\" has to be \"running\" or \"stopped\".")
		}
	}
	if in.Name != nil {
		if err := s.Instances.Rename(r.Context(), v, id, *in.Name); err != nil {
			return err
		}
	}
	if turn != nil {
		if err := turn(r.Context(), v, id); err != nil {
			return err
		}
	}
	return s.showInstance(w, r)
}

// command runs one of the supervisor's commands and shows the number as it is then.
func (s *server) command(do func(context.Context, instances.Viewer, instances.ID) error) http.HandlerFunc {
	return s.answer(func(w http.ResponseWriter, r *http.Request) error {
		if err := do(r.Context(), viewer(r), instanceID(r)); err != nil {
			return err
		}
		return s.showInstance(w, r)
	})
}

// deleteInstance answers as soon as the deletion is certain to happen; the number can be
// watched until it is gone.
func (s *server) deleteInstance(w http.ResponseWriter, r *http.Request) error {
	remove := s.Instances.Delete
	switch r.URL.Query().Get("backup") {
	case "", "true":
	case "false":
		remove = s.Instances.DeleteForGood
	default:
		return fault.InField("backup", "backup is true or false.")
	}
	if err := remove(r.Context(), viewer(r), instanceID(r)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}
