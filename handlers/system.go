package handlers

import (
	"bufio"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/go-chi/chi/v5"

	"switchboard/audit"
	"switchboard/auth"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/views"
)

// System is what administrators see and do of databases and backups. A passphrase is a
// person's, and one that is too short for a new backup is a fault with Field "passphrase"; the
// number of a backup may be "" if there is one only, as may its new name.
type System interface {
	Databases(ctx context.Context) (views.Databases, error)
	// Deleted returns the last backups of numbers that are gone, the newest first.
	Deleted(ctx context.Context) ([]views.Kept, error)
	Backup(ctx context.Context, to io.Writer, id instances.ID, passphrase string, withoutMedia bool) error
	Restore(ctx context.Context, backup io.Reader, passphrase, number, name string, withoutMedia bool) (instances.ID, error)
	BringBack(ctx context.Context, file string, withoutMedia bool) (instances.ID, error)
	Forget(file string) error
}

const (
	maxBackup = 8 << 30 // of an upload; the command has no limit
	// backupTime is how long a download or an upload may take, and stallTime how long the other
	// side may take nothing of a download.
	backupTime = 2 * time.Hour
	stallTime  = time.Minute
)

func (s *server) showSystem(w http.ResponseWriter, r *http.Request) error {
	r, _ = s.withFlash(w, r)
	return s.renderSystem(w, r, http.StatusOK, views.Form{})
}

func (s *server) renderSystem(w http.ResponseWriter, r *http.Request, status int, restore views.Form) error {
	page := views.System{Restore: restore, KeepDays: s.KeepDays}
	var err error
	if page.Databases, err = s.System.Databases(r.Context()); err != nil {
		// The rest of the page is of use while the database server is away.
		s.Log.WarnContext(r.Context(), "look at databases failed", "error", err)
		page.Problem = fault.MessageOf(err)
	}
	kept, err := s.System.Deleted(r.Context())
	if err != nil {
		return err
	}
	for _, k := range kept {
		if _, err := s.Instances.Get(viewer(r), k.ID); err != nil { // what came back is not gone
			page.Deleted = append(page.Deleted, k)
		}
	}
	return render(w, r, status, views.ShowSystem(page))
}

func (s *server) bringBack(w http.ResponseWriter, r *http.Request) error {
	id, err := s.System.BringBack(r.Context(), chi.URLParam(r, "file"), r.PostFormValue("without_media") != "")
	if err != nil {
		return err
	}
	return s.afterRestore(w, r, id)
}

func (s *server) afterRestore(w http.ResponseWriter, r *http.Request, id instances.ID) error {
	audit.Of(r.Context()).Instance = string(id)
	s.setFlash(w, r, "restored")
	s.redirect(w, r, "/instances/"+string(id))
	return nil
}

func (s *server) forgetDeleted(w http.ResponseWriter, r *http.Request) error {
	if err := s.System.Forget(chi.URLParam(r, "file")); err != nil {
		return err
	}
	s.setFlash(w, r, "forgotten")
	s.redirect(w, r, "/system")
	return nil
}

// backupNumber sends a number as an encrypted file. As long as little of it was made, an
// error is an answer that can be read; after that, the download breaks off.
func (s *server) backupNumber(w http.ResponseWriter, r *http.Request) error {
	inst, err := s.get(r)
	if err == nil {
		err = person(r).Need(auth.Admin)
	}
	if err != nil {
		return err
	}
	passphrase, chosen := r.PostFormValue("passphrase"), typed(r, "media")
	if passphrase != r.PostFormValue("again") {
		problems := map[string]string{"again": "This is not the same. Type the passphrase once more: without it, nobody can open the backup."}
		return s.renderNumber(w, r, http.StatusUnprocessableEntity, views.Number{Instance: inst, Backup: views.Form{Values: chosen, Errors: problems}}, 0)
	}
	ctx, cancel := context.WithTimeout(r.Context(), backupTime)
	defer cancel()
	to := &download{w: w, name: string(inst.ID) + "-" + time.Now().UTC().Format("20060102-150405") + ".backup"}
	buffered := bufio.NewWriterSize(to, 64<<10)
	err = s.System.Backup(ctx, buffered, inst.ID, passphrase, chosen["media"] == "")
	if err == nil {
		err = buffered.Flush()
	}
	switch {
	case err == nil:
		s.Log.InfoContext(ctx, "backup sent", "instance", inst.ID, "user", person(r).ID)
		return nil
	case to.begun:
		s.Log.WarnContext(ctx, "send backup failed", "instance", inst.ID, "error", err)
		panic(http.ErrAbortHandler) // so that what is cut short is not taken for all
	}
	if problems, ok := refused(err); ok {
		return s.renderNumber(w, r, formStatus(err), views.Number{Instance: inst, Backup: views.Form{Values: chosen, Errors: problems}}, 0)
	}
	return err
}

// download is an answer that begins with its first byte, and goes on as long as somebody
// takes it.
type download struct {
	w     http.ResponseWriter
	name  string
	begun bool
}

func (d *download) Write(p []byte) (int, error) {
	if !d.begun {
		d.begun = true
		d.w.Header().Set("Content-Type", "application/octet-stream")
		d.w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": d.name}))
		d.w.WriteHeader(http.StatusOK)
	}
	_ = http.NewResponseController(d.w).SetWriteDeadline(time.Now().Add(stallTime)) // not every writer has one
	return d.w.Write(p)
}

// restoreNumber reads its form piece by piece: the file is the last part, so that nothing is
// taken of a form that is refused.
func (s *server) restoreNumber(w http.ResponseWriter, r *http.Request) error {
	control := http.NewResponseController(w)
	until := time.Now().Add(backupTime)
	_ = errors.Join(control.SetReadDeadline(until), control.SetWriteDeadline(until.Add(stallTime))) // not every writer has them
	ctx, cancel := context.WithDeadline(r.Context(), until)
	defer cancel()
	file, err := uploaded(w, r, "backup")
	if err == nil {
		err = s.Auth.CheckCSRF(r)
	}
	if err != nil {
		return err
	}
	form := views.Form{Values: typed(r, "number", "name", "without_media"), Errors: map[string]string{}}
	switch {
	case file == nil:
		form.Errors["backup"] = "Choose the file of a backup."
	case r.PostFormValue("passphrase") == "":
		form.Errors["passphrase"] = "Type the passphrase that the backup was written with."
	}
	if len(form.Errors) > 0 {
		return s.renderSystem(w, r, http.StatusUnprocessableEntity, form)
	}
	id, err := s.System.Restore(ctx, file, r.PostFormValue("passphrase"), form.Values["number"], form.Values["name"], form.Values["without_media"] != "")
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		err = fault.Wrap(fault.TooLarge, "This file is larger than 8 GiB. Bring it to the server, and use the command `switchboard restore`.", err)
	}
	if err != nil {
		problems, ok := refused(err)
		if !ok {
			return err
		}
		form.Errors = problems
		return s.renderSystem(w, r, formStatus(err), form)
	}
	return s.afterRestore(w, r, id)
}

// uploaded reads the parts of a form up to the file of that name, nil if there is none. What
// came before it is the request's form.
func uploaded(w http.ResponseWriter, r *http.Request, name string) (io.Reader, error) {
	unreadable := func(err error) error {
		return fault.Wrap(fault.Invalid, "This form could not be read. Please reload the page and try again.", err)
	}
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media != "multipart/form-data" {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		return nil, readForm(r)
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBackup)
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, unreadable(err)
	}
	r.PostForm = url.Values{}
	for range 20 {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err != nil {
			return nil, unreadable(err)
		}
		if part.FormName() == name {
			if part.FileName() == "" { // none was chosen
				return nil, nil
			}
			return part, nil
		}
		value, err := io.ReadAll(io.LimitReader(part, maxBody))
		if err != nil {
			return nil, unreadable(err)
		}
		r.PostForm.Set(part.FormName(), string(value))
	}
	return nil, unreadable(errors.New("more fields than any form has"))
}
