package handlers

import (
	"net/http"

	"switchboard/views"
)

// flashes are the messages that the next page may show about what was just done. The
// cookie carries only the key, so that nobody can put words into the panel's mouth.
var flashes = map[string]views.Flash{
	"deleting":       {Text: "The number is being deleted."},
	"deleted":        {Text: "The number was deleted."},
	"restored":       {Text: "The number is back."},
	"forgotten":      {Text: "The last backup was removed."},
	"renamed":        {Text: "The name was changed."},
	"sent":           {Text: "Sent. WhatsApp has taken the message."},
	"queued":         {Text: "It waits for its turn, since the number has a pace, and is sent then."},
	"imported":       {Text: "Imported. The numbers are starting with their old pairing."},
	"password":       {Text: "Your password was changed, and other browsers were signed out."},
	"signed-out":     {Text: "You are signed out."},
	"session-ended":  {Bad: true, Text: "Your sign-in has ended. Sign in again, and you are back on that page."},
	"session":        {Text: "That browser was signed out."},
	"sessions":       {Text: "Every other browser was signed out."},
	"revoked":        {Text: "The token was revoked."},
	"person":         {Text: "Saved."},
	"saved":          {Text: "Saved. The number works by it from now on."},
	"more-room":      {Text: "It may have half as much again, and starts. Say in its settings how long messages and pictures are kept, and it does not fill up again."},
	"person-gone":    {Text: "The person was removed."},
	"second-step":    {Text: "Saved. Whoever lacks a second step is asked for it at their next click."},
	"security":       {Text: "Saved. It counts from your next sign-in on."},
	"group":          {Text: "The group was saved."},
	"group-gone":     {Text: "The group was removed."},
	"key-revoked":    {Text: "The key was revoked. It opens nothing any more."},
	"webhook-saved":  {Text: "The webhook was saved."},
	"webhook-gone":   {Text: "The webhook was deleted. What waited for it was given up."},
	"webhook-tried":  {Text: "It is being tried now."},
	"resent":         {Text: "They are being sent again."},
	"nothing-chosen": {Bad: true, Text: "Choose what to send again first."},
	"send-cancelled": {Text: "It was taken back. It is not sent."},
	acted:            {},
}

// acted marks that a command was given and its effect may take a moment to show.
const acted = "acted"

const flashCookie = "switchboard_flash"

func (s *server) setFlash(w http.ResponseWriter, r *http.Request, key string) {
	s.flashCookie(w, key, 60)
}

// flash returns the message that waits for this browser, its key, and removes it.
func (s *server) flash(w http.ResponseWriter, r *http.Request) (key string, message *views.Flash) {
	cookie, err := r.Cookie(flashCookie)
	if err != nil {
		return "", nil
	}
	s.flashCookie(w, "", -1)
	f, known := flashes[cookie.Value]
	if !known || f.Text == "" {
		return cookie.Value, nil
	}
	return cookie.Value, &f
}

func (s *server) flashCookie(w http.ResponseWriter, value string, age int) {
	//nolint:gosec // plain HTTP on loopback is the default, and a key of flashes is no secret
	http.SetCookie(w, &http.Cookie{
		Name: flashCookie, Value: value, Path: s.BasePath + "/", MaxAge: age,
		HttpOnly: true, Secure: s.Secure, SameSite: http.SameSiteLaxMode,
	})
}

// withFlash returns r with the waiting message on its page.
func (s *server) withFlash(w http.ResponseWriter, r *http.Request) (*http.Request, string) {
	key, message := s.flash(w, r)
	if message == nil {
		return r, key
	}
	shell := s.shell(r)
	shell.Flash = message
	return r.WithContext(views.With(r.Context(), shell)), key
}
