//go:build !race

package whatsapp

import (
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"

	"switchboard/settings"
)

// A vote that comes before its poll is told of with what it chose once the poll is there, and
// never as one that takes an earlier vote back.
func TestAVoteBeforeItsPoll(t *testing.T) {
	t.Parallel()
	p, _, owner, o := subscribed(t, settings.Settings{})
	_, other, asker := paired(t, quick)
	a := other.current()
	id, to := a.client.GenerateMessageID(), types.NewJID(owner.Number(), types.DefaultUserServer)
	me := types.NewJID(asker.Number(), types.DefaultUserServer)
	poll := a.client.BuildPollCreation("Lunch?", []string{"Pizza", "Salad", "Soup"}, 2)
	if err := a.device.MsgSecrets.PutMessageSecret(within(t), to, me, id, poll.MessageContextInfo.GetMessageSecret()); err != nil {
		t.Fatal(err)
	}
	send := func(out outgoing) string {
		t.Helper()
		out.a, out.to = a, to
		sent, err := other.send(within(t), out)
		if err != nil {
			t.Fatal(err)
		}
		return sent.ID
	}
	vote := func(options ...string) string {
		t.Helper()
		about := types.MessageInfo{ID: id, MessageSource: types.MessageSource{Chat: to, Sender: me, IsFromMe: true}}
		m, err := a.client.BuildPollVote(within(t), &about, options)
		if err != nil {
			t.Fatal(err)
		}
		return send(outgoing{message: m})
	}
	early := vote("Pizza", "Soup")
	o.event(t, "message", map[string]any{"id": early, "poll_vote": map[string]any{"poll_message_id": id}})
	send(outgoing{id: id, message: poll})
	o.event(t, "message", map[string]any{"id": id})
	o.event(t, "message", map[string]any{"id": early, "poll_vote": map[string]any{"poll_message_id": id, "options": []any{"Pizza", "Soup"}}})
	stored := func() string {
		t.Helper()
		var options string
		if err := p.main.QueryRowContext(within(t), `SELECT "options" FROM "votes" WHERE "id" = $1`, id).Scan(&options); err != nil {
			t.Fatal(err)
		}
		return options
	}
	until := func(word string) { // what came before that is stored
		t.Helper()
		send(outgoing{message: &waE2E.Message{Conversation: &word}})
		p.one(word, text(word))
	}
	until("so far")
	if got := stored(); got != `["Pizza","Soup"]` {
		t.Errorf("the early vote is stored as %s", got)
	}
	late := vote("Salad")
	o.event(t, "message", map[string]any{"id": late, "poll_vote": map[string]any{"poll_message_id": id, "options": []any{"Salad"}}})
	until("done")
	if got := stored(); got != `["Salad"]` {
		t.Errorf("the later vote is stored as %s", got)
	}
}
