package gowa

import (
	"context"
	"net/http"
	"strings"

	"switchboard/whatsapp"
)

// Newsletters is what the operations on channels need.
type Newsletters interface {
	Newsletters(ctx context.Context) ([]whatsapp.Newsletter, error)
	UnfollowNewsletter(ctx context.Context, id string) error
	NewsletterMessages(ctx context.Context, id string, count, before int) ([]whatsapp.NewsletterMessage, error)
}

var newsletterRoutes = []route{
	{method: http.MethodPost, path: "/newsletter/unfollow", do: (*API).unfollowNewsletter},
	{method: http.MethodGet, path: "/newsletter/messages", do: (*API).newsletterMessages},
}

// newsletter returns the id of the channel that the request is about.
func (r *request) newsletter() string {
	id := strings.TrimSpace(r.required("newsletter_id"))
	if id != "" && !strings.Contains(id, "@") {
		id += "@newsletter"
	}
	return id
}

func (a *API) unfollowNewsletter(r *request) (string, any, error) {
	id := r.newsletter()
	if err := r.err(); err != nil {
		return "", nil, err
	}
	return "Success unfollow newsletter", nil, a.o.Number.UnfollowNewsletter(r.Context(), id)
}

func (a *API) newsletterMessages(r *request) (string, any, error) {
	id, count, before := r.newsletter(), r.integer("count", 50, 1, 100), r.integer("before", 0, 0, 1<<31-1)
	if err := r.err(); err != nil {
		return "", nil, err
	}
	all, err := a.o.Number.NewsletterMessages(r.Context(), id, count, before)
	return "Success get newsletter messages", listed[whatsapp.NewsletterMessage]{all}, err
}
