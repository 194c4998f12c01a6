package gowa

import (
	"context"
	"net/http"
	"slices"

	"switchboard/fault"
	"switchboard/instances"
)

// Voter is what the operations on polls need.
type Voter interface {
	Vote(ctx context.Context, chat, id string, options []string) (instances.Sent, error)
}

var voteRoutes = []route{
	{method: http.MethodPost, path: "/message/{message_id}/vote", do: (*API).vote},
	{method: http.MethodGet, path: "/message/{message_id}/votes", do: (*API).votes},
}

func (a *API) vote(r *request) (string, any, error) {
	options := r.list("options")
	if _, given := r.values["options"]; !given {
		r.bad("options", "has to be given; an empty list takes the vote back.")
	}
	chat, id, err := r.about()
	if err != nil {
		return "", nil, err
	}
	m, err := a.o.Number.Vote(r.Context(), chat, id, options)
	if err != nil {
		return "", nil, err
	}
	return taken("Vote sent to "+chat, m)
}

// option is one answer of a poll, and who chose it.
type option struct {
	Name   string  `json:"name"`
	Voters []voter `json:"voters"`
}

type voter struct {
	JID     string `json:"jid"`
	LID     string `json:"lid,omitempty"`
	Name    string `json:"name"`
	VotedAt string `json:"voted_at"`
}

func (a *API) votes(r *request) (string, any, error) {
	chat, id, err := r.about()
	if err != nil {
		return "", nil, err
	}
	store, chat := a.o.Number.Stored(), a.o.Number.StoredAs(r.Context(), chat)
	poll, err := store.Message(r.Context(), chat, id)
	if err != nil {
		return "", nil, err
	}
	if poll.Question == nil || !poll.RevokedAt.IsZero() {
		return "", nil, fault.New(fault.Invalid, "This message is no poll.")
	}
	ballots, err := store.Ballots(r.Context(), chat, id)
	if err != nil {
		return "", nil, err
	}
	options := make([]option, len(poll.Question.Options))
	for i, name := range poll.Question.Options {
		options[i] = option{Name: name, Voters: []voter{}}
		for _, b := range ballots {
			if slices.Contains(b.Options, name) {
				options[i].Voters = append(options[i].Voters, voter{b.Person, b.PersonLID, orUser(b.Name, b.Person), utc(b.At)})
			}
		}
	}
	return "Success get votes", map[string]any{
		"message_id": id, "question": poll.Question.Text, "max_answer": poll.Question.Selectable, "options": options,
	}, nil
}
