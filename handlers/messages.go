package handlers

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/views"
)

const (
	latest        = 30   // messages on the page
	found         = 100  // messages that a search shows
	longestSearch = 200  // characters
	longestText   = 4096 // characters; WhatsApp takes more, but no test message needs them
)

func (s *server) messagesLive(ctx context.Context, inst instances.Instance) (views.Live, error) {
	list, err := s.Messages.Latest(ctx, inst.ID, latest)
	unreadable := ""
	if err != nil {
		// The rest of the page is what helps to find out why.
		s.Log.WarnContext(ctx, "read messages failed", "instance", inst.ID, "error", err)
		unreadable = "The messages cannot be read at the moment."
	}
	return views.NewLive(ctx, "messages", "/instances/"+string(inst.ID)+"/messages", views.MessagePace(inst), views.Bubbles(list, unreadable))
}

// searchMessages shows the messages of a number that have certain words.
func (s *server) searchMessages(w http.ResponseWriter, r *http.Request) error {
	inst, err := s.get(r)
	if err != nil {
		return err
	}
	page := views.Search{Instance: inst, Query: strings.TrimSpace(r.URL.Query().Get("q")), Most: found}
	if !utf8.ValidString(page.Query) || utf8.RuneCountInString(page.Query) > longestSearch {
		return fault.New(fault.Invalid, "Search for fewer and plainer words.")
	}
	if page.Query != "" {
		if page.Found, err = s.Messages.Search(r.Context(), inst.ID, page.Query, found); err != nil {
			s.Log.WarnContext(r.Context(), "search messages failed", "instance", inst.ID, "error", err)
			page.Unreadable = "The messages cannot be searched at the moment."
		}
	}
	return render(w, r, http.StatusOK, views.ShowSearch(page))
}

func (s *server) pollMessages(w http.ResponseWriter, r *http.Request) error {
	inst, err := s.get(r)
	if err != nil {
		return err
	}
	live, err := s.messagesLive(r.Context(), inst)
	if err != nil {
		return err
	}
	return renderLive(w, r, live)
}

func (s *server) sendMessage(w http.ResponseWriter, r *http.Request) error {
	inst, err := s.get(r)
	if err != nil {
		return err
	}
	became := "sent"
	switch sent, err := s.send(r, inst.ID); {
	case err == nil && sent.Queued:
		became = "queued"
	case err != nil:
		problems, ok := refused(err)
		if !ok {
			return err
		}
		form := views.Form{Values: typed(r, "to", "text"), Errors: problems}
		if isFragment(r) {
			return render(w, r, formStatus(err), views.SendForm(inst.ID, form))
		}
		return s.renderNumber(w, r, formStatus(err), views.Number{Instance: inst, Send: form}, 0)
	}
	if !isFragment(r) {
		s.setFlash(w, r, became)
		s.redirect(w, r, "/instances/"+string(inst.ID)+"#stage")
		return nil
	}
	live, err := s.messagesLive(r.Context(), inst)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK,
		views.SendForm(inst.ID, views.Form{Values: typed(r, "to")}), // the same person is likely next
		live.Elsewhere(),
		views.MoreToasts(flashes[became]),
	)
}

func (s *server) send(r *http.Request, id instances.ID) (instances.Sent, error) {
	to, badRecipient := parseRecipient("to", r.PostFormValue("to"), s.region(r, id))
	text := strings.TrimSpace(r.PostFormValue("text"))
	if err := errors.Join(badRecipient, checkText(text)); err != nil {
		return instances.Sent{}, err
	}
	return s.Instances.SendText(r.Context(), viewer(r), id, to, text)
}

func checkText(text string) error {
	switch {
	case text == "":
		return fault.InField("text", "Write a message first.")
	case !utf8.ValidString(text):
		return fault.InField("text", "This text has characters that cannot be read. Type it again.")
	case utf8.RuneCountInString(text) > longestText:
		return fault.InField("text", "This message is too long. Use at most 4,096 characters.")
	}
	return nil
}
