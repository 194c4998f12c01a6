package handlers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"switchboard/auth"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/messages"
	"switchboard/views"
)

// fakeSystem writes down what it was asked, and keeps to what the interface promises.
type fakeSystem struct {
	databases views.Databases
	away      error
	kept      []views.Kept
	breaks    bool // a backup after its beginning
	asked     []string
	took      int
}

func (f *fakeSystem) Databases(context.Context) (views.Databases, error) { return f.databases, f.away }

func (f *fakeSystem) Deleted(context.Context) ([]views.Kept, error) { return f.kept, nil }

func (f *fakeSystem) Backup(_ context.Context, to io.Writer, id instances.ID, passphrase string, withoutMedia bool) error {
	switch {
	case len(passphrase) < 12:
		return fault.InField("passphrase", "Use at least 12 characters.")
	case f.away != nil:
		_, _ = io.WriteString(to, "the beginning of")
		return f.away
	case f.breaks:
		_, _ = to.Write(make([]byte, 200<<10))
		return errors.New("the disk is on fire")
	}
	f.asked = append(f.asked, fmt.Sprint("backup ", id, " ", passphrase, " ", withoutMedia))
	_, err := io.WriteString(to, "a backup")
	return err
}

func (f *fakeSystem) Restore(_ context.Context, backup io.Reader, passphrase, number, name string, withoutMedia bool) (instances.ID, error) {
	n, err := io.Copy(io.Discard, backup)
	f.took += int(n)
	if err != nil {
		return "", err
	}
	if number == "" {
		return "", fault.InField("number", "This backup holds 2 numbers.")
	}
	if f.away != nil {
		return "", f.away
	}
	f.asked = append(f.asked, fmt.Sprint("restore ", number, " ", name, " ", passphrase, " ", withoutMedia))
	return known, nil
}

func (f *fakeSystem) BringBack(_ context.Context, file string, withoutMedia bool) (instances.ID, error) {
	if file != "a.backup" {
		return "", fault.New(fault.NotFound, "This last backup is not kept any more.")
	}
	f.asked = append(f.asked, fmt.Sprint("back ", file, " ", withoutMedia))
	return known, nil
}

func (f *fakeSystem) Forget(file string) error {
	f.asked = append(f.asked, "forget "+file)
	return nil
}

// upload is a form with a file, as a browser sends it; the token is the page's.
func (b *browser) upload(path, file string, fields ...string) answer {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for i := 0; i < len(fields); i += 2 {
		_ = form.WriteField(fields[i], fields[i+1])
	}
	if file != "" {
		part, _ := form.CreateFormFile("backup", "shop.backup")
		_, _ = io.WriteString(part, file)
	}
	_ = form.Close()
	r := httptest.NewRequest(http.MethodPost, "http://panel.test"+path, &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	return b.do(r)
}

func TestSystemPage(t *testing.T) {
	t.Parallel()
	now := time.Now()
	system := &fakeSystem{
		databases: views.Databases{
			Engine: "postgres", Connections: &views.Connections{Numbers: 30, Worst: 128, Allowed: 97, InUse: 9, OfNumbers: 4},
			Unknown: []views.Unknown{{ID: "lost_20260101120000", Bytes: 17 << 20}},
		},
		kept: []views.Kept{
			{File: "a.backup", ID: "gone_20260101120000", Name: "<Gone>", At: now.Add(-time.Hour), Until: now.Add(71 * time.Hour), Bytes: 5000},
			{File: "c.backup", ID: "told_20260101120000", Name: "Told", At: now, Until: now.Add(time.Hour), Linked: new(bool)},
			{File: "d.backup", ID: "linked_20260101120000", Name: "Linked", At: now, Until: now.Add(time.Hour), Linked: new(true)},
			{File: "b.backup", ID: known, Name: "Came back", At: now.Add(-time.Hour), Until: now.Add(71 * time.Hour)},
		},
	}
	s := newSite(t, func(o *Options) { o.System = system })
	b := s.signedIn(auth.Administrator)
	s.numbers.set(connected(s.owner))
	b.get("/").has(t, `data-testid="system"`)
	page := b.get("/system")
	page.has(t, ">128<", ">97<", "for 30 numbers and the panel", "lost_20260101120000", "17.0 MiB", "&lt;Gone&gt;", "kept for 2 days more", `data-testid="connections-short"`)
	page.has(t, "It may have to be paired once more.", "Has to be paired once more: its phone was told", "Goes on without a new scan")
	page.lacks(t, "Came back")

	if got := b.post("/system/deleted/a.backup/restore"); got.header.Get("Location") != "/instances/"+string(known) {
		t.Errorf("bring back: %d to %q", got.code, got.header.Get("Location"))
	}
	if got := b.post("/system/deleted/x.backup/restore"); got.code != http.StatusNotFound {
		t.Errorf("what is not kept: %d", got.code)
	}
	if got := b.post("/system/deleted/a.backup/forget"); got.header.Get("Location") != "/system" {
		t.Errorf("forget: %d to %q", got.code, got.header.Get("Location"))
	}
	b.post("/system/deleted/a.backup/restore", "without_media", "yes")
	if want := "back a.backup false,forget a.backup,back a.backup true"; strings.Join(system.asked, ",") != want {
		t.Errorf("asked %q", system.asked)
	}
	// While the database server is away, the rest is of use.
	system.away = fault.New(fault.Unavailable, "The database does not answer.")
	got := b.get("/system")
	got.has(t, "The database does not answer.", "&lt;Gone&gt;")
	if got.code != http.StatusOK {
		t.Errorf("without the server: %d", got.code)
	}
}

func TestSystemIsForAdministrators(t *testing.T) {
	t.Parallel()
	system := &fakeSystem{}
	s := newSite(t, func(o *Options) { o.System = system })
	b := s.signedIn(auth.Operator)
	s.numbers.set(connected(s.owner))
	b.get("/").lacks(t, `data-testid="system"`)
	b.get("/instances/"+string(known)).lacks(t, `data-testid="backup"`)
	for name, got := range map[string]answer{
		"page": b.get("/system"), "backup": b.post("/instances/"+string(known)+"/backup", "passphrase", "long enough by far", "again", "long enough by far"),
		"restore": b.upload("/system/restore", "x", auth.CSRFField, b.csrf, "passphrase", "p", "number", "n"),
		"back":    b.post("/system/deleted/a.backup/restore"), "forget": b.post("/system/deleted/a.backup/forget"),
	} {
		if got.code != http.StatusForbidden {
			t.Errorf("%s: %d, want 403", name, got.code)
		}
	}
	if len(system.asked) > 0 || system.took > 0 {
		t.Errorf("an operator did %q, and %d bytes were taken", system.asked, system.took)
	}
}

func TestBackupOfANumber(t *testing.T) {
	t.Parallel()
	system := &fakeSystem{}
	s := newSite(t, func(o *Options) { o.System = system })
	b := s.signedIn(auth.Owner)
	s.numbers.set(connected(s.owner))
	path := "/instances/" + string(known)
	b.get(path).has(t, `data-testid="backup-form"`, `type="hidden" name="media"`)
	s.messages.backlog = messages.Backlog{Files: 12, Bytes: 3 << 20}
	b.get(path).has(t, "With its pictures and files (12 files, 3.0 MiB)", `name="media" value="yes" data-testid="media" checked`)

	got := b.post(path+"/backup", "media", "yes", "passphrase", "long enough by far", "again", "long enough by far")
	if got.code != http.StatusOK || got.body != "a backup" || !strings.Contains(got.header.Get("Content-Disposition"), `filename=`+string(known)) {
		t.Errorf("%d %v %q", got.code, got.header, got.body)
	}
	b.post(path+"/backup", "passphrase", "without its media", "again", "without its media")
	if want := fmt.Sprintf("backup %[1]s long enough by far false,backup %[1]s without its media true", known); strings.Join(system.asked, ",") != want {
		t.Errorf("asked %q", system.asked)
	}
	for says, fields := range map[string][]string{
		"Use at least 12 characters": {"passphrase", "short", "again", "short"},
		"This is not the same":       {"passphrase", "long enough by far", "again", "long enough by fat"},
	} {
		got := b.post(path+"/backup", fields...)
		got.has(t, says)
		got.lacks(t, "long enough", `data-testid="media" checked`)
		if got.code != http.StatusUnprocessableEntity && got.code != http.StatusBadRequest {
			t.Errorf("%s: %d", says, got.code)
		}
	}
	// What fails at the beginning is an answer; what fails later breaks off.
	system.away = fault.New(fault.Unavailable, "The database does not answer.")
	got = b.post(path+"/backup", "passphrase", "long enough by far", "again", "long enough by far")
	got.has(t, "The database does not answer.")
	got.lacks(t, "the beginning of")
	if got.code != http.StatusServiceUnavailable || got.header.Get("Content-Disposition") != "" {
		t.Errorf("%d %v", got.code, got.header)
	}
	system.away, system.breaks = nil, true
	defer func() {
		if err, ok := recover().(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
			t.Errorf("a backup that breaks off ends with %v", err)
		}
	}()
	b.post(path+"/backup", "passphrase", "long enough by far", "again", "long enough by far")
	t.Error("a backup that breaks off looks whole")
}

func TestRestoreOfANumber(t *testing.T) {
	t.Parallel()
	system := &fakeSystem{}
	s := newSite(t, func(o *Options) { o.System = system })
	b := s.signedIn(auth.Owner)
	b.get("/system")
	if got := b.upload("/system/restore", "abc", "passphrase", "p", "number", "n"); got.code != http.StatusForbidden || system.took > 0 {
		t.Errorf("without a token: %d, %d bytes taken", got.code, system.took)
	}
	for says, got := range map[string]answer{
		"Choose the file of a backup": b.upload("/system/restore", "", auth.CSRFField, b.csrf, "passphrase", "p"),
		"Type the passphrase":         b.upload("/system/restore", "abc", auth.CSRFField, b.csrf),
	} {
		got.has(t, says)
		if got.code != http.StatusUnprocessableEntity || system.took > 0 {
			t.Errorf("%s: %d, %d bytes taken", says, got.code, system.took)
		}
	}
	got := b.upload("/system/restore", "abc", auth.CSRFField, b.csrf, "passphrase", "a secret", "name", "Other")
	got.has(t, "This backup holds 2 numbers.", `value="Other"`)
	got.lacks(t, "a secret")
	got = b.upload("/system/restore", "abc", auth.CSRFField, b.csrf, "passphrase", "a secret", "name", "Other", "number", "n")
	if got.code != http.StatusSeeOther || got.header.Get("Location") != "/instances/"+string(known) {
		t.Errorf("%d to %q", got.code, got.header.Get("Location"))
	}
	b.upload("/system/restore", "abc", auth.CSRFField, b.csrf, "passphrase", "p", "number", "n", "without_media", "yes")
	if want := "restore n Other a secret false,restore n  p true"; strings.Join(system.asked, ",") != want {
		t.Errorf("asked %q", system.asked)
	}
	system.away = fault.New(fault.Conflict, "The number is still here.")
	b.upload("/system/restore", "abc", auth.CSRFField, b.csrf, "passphrase", "p", "number", "n").has(t, "The number is still here.")
}

// What comes after the file is not read before the restore.
func TestRestoreFormEndsWithItsFile(t *testing.T) {
	t.Parallel()
	b := newSite(t).signedIn(auth.Owner)
	_, form, _ := strings.Cut(b.get("/system").body, `data-testid="restore-form"`)
	form, _, _ = strings.Cut(form, "</form>")
	if _, after, found := strings.Cut(form, `name="backup"`); !found || strings.Contains(after, " name=") || !strings.Contains(form, `name="without_media"`) {
		t.Errorf("the form is\n%s", form)
	}
}
