package phone

import (
	"context"
	"slices"
	"strings"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"switchboard/fault"
)

// Question is a poll to send. Selectable is how many options one may choose, 0 for any number.
type Question struct {
	Text       string
	Options    []string
	Selectable int
}

// SendPoll asks a number or a group.
func (p *Phone) SendPoll(ctx context.Context, to string, q Question) (Entry, error) {
	if strings.TrimSpace(q.Text) == "" || len(q.Options) < 2 {
		return Entry{}, fault.InField("poll", "A poll needs a question and two options at least.")
	}
	return p.send(ctx, to, p.client.BuildPollCreation(q.Text, q.Options, q.Selectable))
}

// Vote chooses options of a poll; none takes the vote back.
func (p *Phone) Vote(ctx context.Context, chat, id string, options []string) error {
	r, err := p.find(ctx, chat, id)
	if err != nil {
		return err
	}
	if r.Kind != Poll {
		return fault.InField("votes", "This message is no poll.")
	}
	to, sender, err := r.addresses()
	if err != nil {
		return err
	}
	m, err := p.client.BuildPollVote(ctx, &types.MessageInfo{ID: id, MessageSource: types.MessageSource{
		Chat: to, Sender: sender, IsFromMe: r.FromMe, IsGroup: to.Server == types.GroupServer,
	}}, options)
	if err != nil {
		return err
	}
	if _, err := p.transmit(ctx, to, m, p.client.GenerateMessageID()); err != nil {
		return err
	}
	return p.change(ctx, r.Chat, id, ballot(p.number, whatsmeow.HashPollOptions(options)))
}

// count notes whom a vote is for. One that cannot be opened counts for nothing, and as a
// message that the phone could not open.
func (p *Phone) count(ctx context.Context, e *events.Message, chat, voter string) error {
	vote, err := p.client.DecryptPollVote(ctx, e)
	if err != nil {
		p.undecryptable.Add(1)
		return nil //nolint:nilerr // another delivery would change nothing
	}
	return p.change(ctx, chat, e.Message.GetPollUpdateMessage().GetPollCreationMessageKey().GetID(), ballot(voter, vote.GetSelectedOptions()))
}

// ballot puts a vote, which has the hashes of options, into its poll.
func ballot(voter string, chosen [][]byte) func(*row) bool {
	return func(r *row) bool {
		if r.Detail == nil {
			return false
		}
		if r.Votes == nil {
			r.Votes = map[string][]string{}
		}
		delete(r.Votes, voter)
		for i, hash := range whatsmeow.HashPollOptions(r.Detail.Options) {
			if slices.ContainsFunc(chosen, func(c []byte) bool { return string(c) == string(hash) }) {
				r.Votes[voter] = append(r.Votes[voter], r.Detail.Options[i])
			}
		}
		return true
	}
}
