package handlers

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"switchboard/auth"
	"switchboard/messages"
)

// Messages show what belongs to them, and nothing of what was taken back.
func TestMessagesShowWhatBelongsToThem(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	s.numbers.set(connected(s.owner))
	const anna = "491700000001@s.whatsapp.net"
	now := time.Now()
	s.messages.list = []messages.Message{
		{Chat: anna, ID: "1", Sender: anna, Kind: messages.Document, Text: "our offer", At: now, QuotedText: "what would it cost?",
			Media:     &messages.Media{Type: messages.DocumentFile, Name: "offer <1>.pdf", Size: 2_500_000},
			Reactions: []messages.Reacted{{Person: anna, Name: "Anna", Emoji: "👍"}, {FromMe: true, Emoji: "🙏"}}},
		{Chat: anna, ID: "2", Sender: anna, Kind: messages.Text, Text: "better words", EditedAt: now, At: now},
		{Chat: anna, ID: "3", Sender: anna, Kind: messages.Text, Text: "shameful", RevokedAt: now, At: now},
		{Chat: anna, ID: "4", FromMe: true, Kind: messages.Text, Text: "lost", Status: messages.NotSent, Reason: "WhatsApp refused it.", At: now},
		{Chat: anna, ID: "5", Sender: anna, Kind: messages.Called, Call: &messages.Call{Video: true, Outcome: messages.Missed}, At: now},
		{Chat: anna, ID: "6", Sender: anna, Kind: messages.Audio, Media: &messages.Media{Type: messages.VoiceNote, Seconds: 65}, At: now},
	}
	got := b.get(page)
	got.has(t, "Document · offer &lt;1&gt;.pdf · 2.5 MB", "what would it cost?", "👍", "from Anna", "from this number", `data-testid="edited"`,
		"This message was deleted", "WhatsApp refused it.", "Video call, missed", "Voice message · 1:05")
	got.lacks(t, "shameful")
}

func TestSearch(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	s.numbers.set(connected(s.owner))
	s.messages.list = conversation(time.Now())
	b.get(page).has(t, `role="search"`, `data-testid="search-messages"`)
	got := b.get(page + "/search?q=balcony")
	got.has(t, "double room with the balcony", `value="balcony"`)
	got.lacks(t, "See you tomorrow")
	b.get(page+"/search?q=nothing+of+the+kind").has(t, `data-testid="nothing-found"`)
	b.get(page+"/search").lacks(t, `data-testid="nothing-found"`)
	b.get(page+"/search?q="+"%3Cscript%3E").lacks(t, "<script>alert", `value="<script>"`)
	if got := b.get(page + "/search?q=" + strings.Repeat("x", 201)); got.code != http.StatusUnprocessableEntity && got.code != http.StatusBadRequest {
		t.Errorf("endless words: %d", got.code)
	}
	s.messages.err = errBroken
	got = b.get(page + "/search?q=balcony")
	got.has(t, "cannot be searched at the moment")
	got.lacks(t, "secret")
}
