package messages_test

import (
	"database/sql"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"switchboard/engine"
	"switchboard/fault"
	"switchboard/messages"
)

const (
	ben   = "491700000002@s.whatsapp.net"
	group = "120363000000000001@g.us"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// about is a message from sender that says something about another one.
func about(id, target string, kind messages.Kind, text, sender string, second int) messages.Message {
	m := incoming(id, text)
	m.Kind, m.Target, m.Sender, m.SenderName, m.At = kind, target, sender, "", m.At.Add(time.Duration(second)*time.Second)
	return m
}

func texts(all []messages.Message) (out []string) {
	for _, m := range all {
		out = append(out, m.ID+":"+m.Text)
	}
	return out
}

func testEdits(t *testing.T, open opener) {
	t.Parallel()
	m, db := open(t)
	save(t, m, incoming("A", "one"),
		about("E1", "A", messages.Edited, "two", ann, 10),
		about("E3", "A", messages.Edited, "four", ann, 30),
		about("E2", "A", messages.Edited, "three", ann, 20), // overtaken
		about("E3", "A", messages.Edited, "four", ann, 30),  // again
		about("X", "A", messages.Edited, "forged", ben, 40),
		about("Y", "unknown", messages.Edited, "of what was never seen", ann, 50))
	all := latest(t, m)
	if got, want := texts(all), []string{"Y:of what was never seen", "X:forged", "A:four"}; !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	if at := all[2].EditedAt; !at.Equal(time.Unix(1_700_000_030, 0)) {
		t.Errorf("edited at %v", at)
	}
	if got, want := earlier(t, db, "A"), []string{"one 0", "two 10", "three 20"}; !slices.Equal(got, want) {
		t.Errorf("earlier texts are %q, want %q", got, want)
	}
}

func testRevocations(t *testing.T, open opener) {
	t.Parallel()
	m, _ := open(t)
	admin := about("R2", "B", messages.Revoked, "", ben, 20)
	admin.Admin = true
	save(t, m, incoming("A", "mine to take back"), incoming("B", "spam"), incoming("C", "stays"),
		about("R1", "A", messages.Revoked, "", ann, 10), admin, about("R3", "C", messages.Revoked, "", ben, 30))
	revoked := map[string]int64{}
	for _, msg := range latest(t, m) {
		revoked[msg.ID] = 0
		if !msg.RevokedAt.IsZero() {
			revoked[msg.ID] = msg.RevokedAt.Unix() - 1_700_000_000
		}
	}
	if want := map[string]int64{"A": 10, "B": 20, "C": 0, "R3": 0}; !reflect.DeepEqual(revoked, want) {
		t.Errorf("got %v, want %v", revoked, want)
	}
}

// An edit and a revocation count whether they come before their message or after it, and those
// of others never do.
func testWhatCameBeforeItsMessage(t *testing.T, open opener) {
	t.Parallel()
	m, db := open(t)
	admin := about("R2", "B", messages.Revoked, "", ben, 20)
	admin.Admin = true
	unread := incoming("D", "")
	unread.Kind = messages.Undecryptable
	save(t, m,
		about("E2", "A", messages.Edited, "three", ann, 20), about("E1", "A", messages.Edited, "two", ann, 10), about("X", "A", messages.Edited, "forged", ben, 30),
		incoming("A", "one"), incoming("A", "one"),
		about("R1", "C", messages.Revoked, "", ben, 10), admin, incoming("B", "spam"), incoming("C", "stays"),
		about("E3", "D", messages.Edited, "read at last", ann, 10), unread)
	must(t, m.SaveAll(t.Context(), []messages.Message{incoming("D", "could not be read"), incoming("E", "of long ago")}))
	got := map[string]string{}
	for _, msg := range latest(t, m) {
		got[msg.ID] = msg.Text
		if !msg.RevokedAt.IsZero() {
			got[msg.ID] = "revoked"
		}
	}
	want := map[string]string{"A": "three", "X": "forged", "B": "revoked", "C": "stays", "R1": "", "D": "read at last", "E": "of long ago"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := earlier(t, db, "A"); len(got) != 2 || !strings.HasPrefix(got[0], "one ") || !strings.HasPrefix(got[1], "two ") {
		t.Errorf("earlier texts are %q", got)
	}
}

func testReactions(t *testing.T, open opener) {
	t.Parallel()
	m, _ := open(t)
	must(t, m.SavePeople(t.Context(), []messages.Person{{JID: ben, LID: "7@lid", Name: "Ben"}}))
	mine := about("4", "A", messages.Reaction, "❤️", self, 4)
	mine.FromMe = true
	save(t, m, incoming("A", "hello"), incoming("B", "unloved"),
		about("2", "A", messages.Reaction, "👍", ben, 2), about("1", "A", messages.Reaction, "😡", ben, 1), // the order is wrong
		about("3", "A", messages.Reaction, "🙏", ann, 3), mine,
		about("5", "A", messages.Reaction, "", ann, 5)) // taken back
	all := latest(t, m)
	if len(all) != 2 || len(all[0].Reactions) != 0 {
		t.Fatalf("got %+v", all)
	}
	var got []string
	for _, r := range all[1].Reactions {
		got = append(got, r.Name+r.Emoji)
	}
	if want := []string{"Ben👍", "❤️"}; !slices.Equal(got, want) || !all[1].Reactions[1].FromMe || all[1].Reactions[0].PersonLID != "7@lid" {
		t.Errorf("got %q, want %q", got, want)
	}
}

func testReceipts(t *testing.T, open opener) {
	t.Parallel()
	m, _, events := boxed(t, open)
	must(t, m.SavePeople(t.Context(), []messages.Person{{JID: ben, LID: "7@lid"}}))
	save(t, m, outgoing("A", "hello"))
	at := func(second int64) time.Time { return time.Unix(1_700_000_000+second, 0) }
	receive := func(step messages.Step, person string, second int64, whole bool, name string) {
		t.Helper()
		must(t, m.Receive(t.Context(), messages.Receipt{Chat: ann, Person: person, IDs: []string{"A", "unknown"}, Step: step, At: at(second), Whole: whole}, event(t, name)))
	}
	receive(messages.GotIt, ben, 1, false, "ben got it")
	receive(messages.ReadIt, ben, 2, false, "ben read it")
	receive(messages.ReadIt, ben, 9, false, "again")
	if p, err := m.Progress(t.Context(), ann, "A"); err != nil || p.Status != messages.Delivered {
		t.Fatalf("got %+v, %v", p, err)
	}
	receive(messages.PlayedIt, ann, 3, true, "ann played it")
	p, err := m.Progress(t.Context(), ann, "A")
	must(t, err)
	if want := []messages.Received{{Person: ann, PlayedAt: at(3)}, {Person: ben, PersonLID: "7@lid", DeliveredAt: at(1), ReadAt: at(2)}}; p.Status != messages.Read || !reflect.DeepEqual(p.People, want) {
		t.Errorf("got %+v", p)
	}
	if got, want := events(), []string{"ben got it", "ben read it", "ann played it"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := m.Progress(t.Context(), ann, "unknown"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("of an unknown message: %v", err)
	}
	save(t, m, outgoing("B", "never"))
	must(t, m.Failed(t.Context(), ann, "B", "No."))
	if p, err := m.Progress(t.Context(), ann, "B"); err != nil || p.Status != messages.NotSent || p.Reason != "No." {
		t.Errorf("got %+v, %v", p, err)
	}
}

func testPolls(t *testing.T, open opener) {
	t.Parallel()
	m, db := open(t)
	poll := incoming("P", "Lunch?")
	poll.Kind, poll.Question = messages.Poll, &messages.Question{Text: "Lunch?", Options: []string{"yes", "no"}, Selectable: 1}
	ballot := func(id, voter string, second int, options ...string) messages.Message {
		v := about(id, "P", messages.Vote, "", voter, second)
		v.Votes = append([]string{}, options...)
		return v
	}
	save(t, m, poll, ballot("2", ben, 2, "no"), ballot("1", ben, 1, "yes"), ballot("3", ann, 3, "yes", "no"), ballot("4", ann, 4))
	got, err := m.Message(t.Context(), ann, "P")
	must(t, err)
	if !reflect.DeepEqual(got.Question, poll.Question) {
		t.Errorf("got %+v", got.Question)
	}
	ballots, err := m.Ballots(t.Context(), ann, "P")
	if err != nil || len(ballots) != 1 || ballots[0].Person != ben || !slices.Equal(ballots[0].Options, []string{"no"}) {
		t.Errorf("counted are %+v, %v", ballots, err)
	}
	votes := values(t, db, `SELECT "voter" || ' ' || "options" FROM "votes" WHERE "chat" = $1 AND "id" = 'P' ORDER BY "at"`, ann)
	if want := []string{ben + ` ["no"]`, ann + " []"}; !slices.Equal(votes, want) || len(latest(t, m)) != 1 {
		t.Errorf("got %q", votes)
	}

	// Votes on another poll come before it. One is taken for another by then.
	sealed := func(id, voter string, second int) messages.Message {
		v := about(id, "Q", messages.Vote, "", voter, second)
		v.Sealed, v.Raw = true, []byte(id)
		return v
	}
	save(t, m, sealed("5", ben, 5), sealed("6", ann, 6), sealed("7", ann, 7))
	early, err := m.SealedVotes(t.Context(), ann, "Q")
	must(t, err)
	slices.SortFunc(early, func(a, b messages.Message) int { return a.At.Compare(b.At) })
	if len(early) != 2 || early[0].ID != "5" || early[1].ID != "7" || string(early[1].Raw) != "7" || early[1].Sender != ann || !early[1].Sealed {
		t.Fatalf("early are %+v", early)
	}
	early[1].Sealed, early[1].Votes = false, []string{"soup"}
	later := incoming("Q", "Dinner?")
	later.Kind, later.Question = messages.Poll, &messages.Question{Text: "Dinner?", Options: []string{"soup"}, Selectable: 1, Early: early[1:]}
	save(t, m, later)
	votes = values(t, db, `SELECT "voter" || ' ' || "options" FROM "votes" WHERE "chat" = $1 AND "id" = 'Q' ORDER BY "at"`, ann)
	if want := []string{ben + " ", ann + ` ["soup"]`}; !slices.Equal(votes, want) {
		t.Errorf("got %q", votes)
	}
}

func testUnread(t *testing.T, open opener) {
	t.Parallel()
	m, _ := open(t)
	save(t, m, incoming("A", "one"), incoming("A", "one"), incoming("B", "two"), about("R", "A", messages.Reaction, "👍", ann, 1), outgoing("C", "mine"))
	must(t, m.SaveAll(t.Context(), []messages.Message{incoming("old", "history")}))
	unread := func() int {
		t.Helper()
		all, total, err := m.Chats(t.Context(), messages.ChatFilter{JID: ann})
		must(t, err)
		if total != 1 || len(all) != 1 {
			t.Fatalf("got %+v", all)
		}
		return all[0].Unread
	}
	if n := unread(); n != 2 {
		t.Errorf("%d unread", n)
	}
	none := 0
	must(t, m.ChangeChat(t.Context(), ann, messages.ChatChange{Unread: &none}))
	if n := unread(); n != 0 {
		t.Errorf("%d unread after reading", n)
	}
}

func testChats(t *testing.T, open opener) {
	t.Parallel()
	m, _ := open(t)
	must(t, m.SavePeople(t.Context(), []messages.Person{{JID: ben, LID: "88@lid", PushName: "Benny 100%"}}))
	yes, pinned, week := true, time.Unix(1_700_000_000, 0), 7*24*time.Hour
	for i, chat := range []string{ann, ben, group, "status@broadcast"} {
		msg := incoming(fmt.Sprint(i), "hello")
		msg.Chat, msg.At = chat, msg.At.Add(time.Duration(i)*time.Minute)
		if chat == group {
			msg.Kind = messages.Image
		}
		save(t, m, msg)
	}
	must(t, m.NameChat(t.Context(), group, "Family_1"))
	must(t, m.ChangeChat(t.Context(), ann, messages.ChatChange{PinnedAt: &pinned, Ephemeral: &week}))
	must(t, m.ChangeChat(t.Context(), ben, messages.ChatChange{Archived: &yes}))
	for name, test := range map[string]struct {
		filter messages.ChatFilter
		want   []string
		total  int
	}{
		"all":             {messages.ChatFilter{}, []string{ann, group, ben}, 3},
		"first page":      {messages.ChatFilter{Limit: 2}, []string{ann, group}, 3},
		"second page":     {messages.ChatFilter{Limit: 2, Offset: 2}, []string{ben}, 3},
		"rest":            {messages.ChatFilter{Offset: 1}, []string{group, ben}, 3},
		"archived":        {messages.ChatFilter{Archived: &yes}, []string{ben}, 1},
		"with media":      {messages.ChatFilter{HasMedia: true}, []string{group}, 1},
		"by push name":    {messages.ChatFilter{Search: "BENNY"}, []string{ben}, 1},
		"by number":       {messages.ChatFilter{Search: "0000001@s"}, []string{ann}, 1},
		"no wildcard":     {messages.ChatFilter{Search: "b%"}, []string{}, 0},
		"percent sign":    {messages.ChatFilter{Search: "100%"}, []string{ben}, 1},
		"underscore":      {messages.ChatFilter{Search: "family_1"}, []string{group}, 1},
		"no such chat":    {messages.ChatFilter{Search: "nobody"}, []string{}, 0},
		"beyond the last": {messages.ChatFilter{Limit: 5, Offset: 50}, []string{}, 3},
	} {
		all, total, err := m.Chats(t.Context(), test.filter)
		must(t, err)
		got := []string{}
		for _, c := range all {
			got = append(got, c.JID)
		}
		if !slices.Equal(got, test.want) || total != test.total {
			t.Errorf("%s: got %q of %d, want %q of %d", name, got, total, test.want, test.total)
		}
	}
	all, _, err := m.Chats(t.Context(), messages.ChatFilter{JID: ann})
	must(t, err)
	if c := all[0]; c.Name != "Ann" || !c.PinnedAt.Equal(pinned) || c.Ephemeral != week || !c.CreatedAt.Equal(incoming("", "").At) || messages.KindOfChat(c.JID) != messages.Direct {
		t.Errorf("got %+v", c)
	}
}

func testInChat(t *testing.T, open opener) {
	t.Parallel()
	m, _ := open(t)
	for i := range 5 {
		msg := incoming(fmt.Sprint(i), fmt.Sprint("Number ", i))
		msg.At = msg.At.Add(time.Duration(i) * time.Minute)
		if i == 3 {
			msg.Kind = messages.Image
			msg.Media = &messages.Media{Type: messages.ImageFile, MIME: "image/png", Size: 9, Key: []byte("key"), URL: "https://x", File: "f.png", State: messages.Waiting}
		}
		if i == 4 {
			msg.FromMe, msg.Sender, msg.Quoted, msg.QuotedText, msg.Mentions, msg.Forwarded = true, self, "0", "Number 0", []string{ann, ben}, true
		}
		save(t, m, msg)
	}
	other := incoming("0", "in another chat")
	other.Chat = ben
	save(t, m, other, about("R", "0", messages.Reaction, "👍", ann, 1))
	yes := true
	minute := func(n int) time.Time { return incoming("", "").At.Add(time.Duration(n) * time.Minute) }
	for name, test := range map[string]struct {
		filter messages.Filter
		want   []string
		total  int
	}{
		"all":     {messages.Filter{}, []string{"4", "3", "2", "1", "0"}, 5},
		"page":    {messages.Filter{Limit: 2, Offset: 1}, []string{"3", "2"}, 5},
		"between": {messages.Filter{From: minute(1), To: minute(2)}, []string{"2", "1"}, 2},
		"media":   {messages.Filter{MediaOnly: true}, []string{"3"}, 1},
		"mine":    {messages.Filter{FromMe: &yes}, []string{"4"}, 1},
		"search":  {messages.Filter{Search: "BER 2"}, []string{"2"}, 1},
	} {
		test.filter.Chat = ann
		all, total, err := m.InChat(t.Context(), test.filter)
		must(t, err)
		var got []string
		for _, msg := range all {
			got = append(got, msg.ID)
		}
		if !slices.Equal(got, test.want) || total != test.total {
			t.Errorf("%s: got %q of %d, want %q of %d", name, got, total, test.want, test.total)
		}
	}
	all, _, err := m.InChat(t.Context(), messages.Filter{Chat: ann})
	must(t, err)
	if a := all[0]; a.Quoted != "0" || a.QuotedText != "Number 0" || !slices.Equal(a.Mentions, []string{ann, ben}) || !a.Forwarded || a.Media != nil {
		t.Errorf("got %+v", a)
	}
	if b := all[1]; b.Media == nil || b.Media.File != "f.png" || string(b.Media.Key) != "key" || b.Name != "Ann" || b.StoredAt.Before(time.Now().Add(-time.Hour)) {
		t.Errorf("got %+v", b)
	}
	if e := all[4]; len(e.Reactions) != 1 {
		t.Errorf("got %+v", e)
	}
	if msg, err := m.Message(t.Context(), ann, "3"); err != nil || string(msg.Raw) != "\x01\x02\x03" || msg.Media == nil {
		t.Errorf("got %+v, %v", msg, err)
	}
	if _, err := m.Message(t.Context(), ann, "unknown"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("of an unknown message: %v", err)
	}
	must(t, m.DeletedForMe(t.Context(), ann, "2", time.Now()))
	if _, total, err := m.InChat(t.Context(), messages.Filter{Chat: ann}); err != nil || total != 4 {
		t.Errorf("%d left, %v", total, err)
	}
}

func testSearch(t *testing.T, open opener) {
	t.Parallel()
	m, _ := open(t)
	for id, text := range map[string]string{
		"mail": "write to ann@example.com, please", "url": "see https://example.org/Rooms_and-prices?x=1", "german": "Viele Grüße aus Köln",
		"han": "我明天到酒店", "emoji": "👍👍", "greek": "Καλημέρα", "sql": `'; DROP TABLE "words"; -- 100%`, "or": "this OR that NEAR nothing",
	} {
		save(t, m, incoming(id, text))
	}
	save(t, m, incoming("edited", "the old words"), about("E", "edited", messages.Edited, "fresh paint", ann, 1),
		incoming("revoked", "shameful secret"), about("R", "revoked", messages.Revoked, "", ann, 2))
	for query, want := range map[string][]string{
		"example": {"mail", "url"}, "EXAMPLE com": {"mail"}, "pric": {"url"}, "rooms prices": {"url"}, "Grüße": {"german"}, "köl viele": {"german"},
		"酒店": {"han"}, "👍": {"emoji"}, "Καλημ": {"greek"}, "drop table": {"sql"}, "100": {"sql"}, "or": {"or", "url"}, "near": {"or"}, "'": {"sql"},
		"old words": nil, "fresh": {"edited"}, "shameful": nil, "xample": nil, "": nil, "   ": nil, "*": nil, `"`: {"sql"}, "a* OR b": {}, "\\": nil,
	} {
		all, err := m.Search(t.Context(), query, 100)
		must(t, err)
		var got []string
		for _, msg := range all {
			got = append(got, msg.ID)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%q finds %q, want %q", query, got, want)
		}
	}
}

// Words are found whether they are in the index or about to come there, and what is changed
// or deleted in between leaves no trace.
func testSearchWhileWordsGather(t *testing.T, open opener) {
	t.Parallel()
	m, db := open(t)
	want := map[string]bool{}
	for n := range 300 {
		id := fmt.Sprint(n)
		msg := incoming(id, "Common number"+id)
		if n%3 == 0 {
			msg.Text = "" // has none
		}
		save(t, m, msg)
		if n%3 == 0 {
			continue
		}
		want[id] = true
		switch {
		case n%50 == 10:
			save(t, m, about("edit"+id, id, messages.Edited, "changed", ann, n))
			delete(want, id)
		case n%50 == 11:
			must(t, exec(db, `DELETE FROM "messages" WHERE "id" = $1`, fmt.Sprint(n-1)))
			delete(want, fmt.Sprint(n-1))
		case n%50 == 13 && n > 100: // long in the index
			save(t, m, about("late"+id, fmt.Sprint(n-75), messages.Edited, "changed", ann, n))
			delete(want, fmt.Sprint(n-75))
		case n%50 == 14 && n > 100:
			must(t, exec(db, `DELETE FROM "messages" WHERE "id" = $1`, fmt.Sprint(n-75)))
			delete(want, fmt.Sprint(n-75))
		}
		if n%7 != 0 && n < 299 {
			continue
		}
		if engine.Behind(db) == engine.SQLite {
			var verdict string
			if err := db.QueryRow(`PRAGMA integrity_check`).Scan(&verdict); err != nil || verdict != "ok" {
				t.Fatalf("after %d: %s, %v", n, verdict, err)
			}
		}
		all, err := m.Search(t.Context(), "COMM num", 1000)
		must(t, err)
		got := map[string]bool{}
		for _, msg := range all {
			got[msg.ID] = true
		}
		if !maps.Equal(got, want) {
			t.Fatalf("after %d, got %d messages, want %d", n, len(got), len(want))
		}
	}
	if all, err := m.Search(t.Context(), "changed", 1000); err != nil || len(all) == 0 {
		t.Fatalf("found %q, %v", texts(all), err)
	}
	if engine.Behind(db) != engine.SQLite {
		return
	}
	var left int
	must(t, db.QueryRow(`SELECT count(*) FROM "messages" WHERE "text" <> '' AND "seq" NOT IN (SELECT "docid" FROM "words_docsize")`).Scan(&left))
	if left == 0 || left > 70 {
		t.Errorf("%d are not in the index", left)
	}
}

// Whoever changes after how long messages of a chat disappear, the next one that is sent
// goes by it.
func testExpiry(t *testing.T, open opener) {
	t.Parallel()
	m, _ := open(t)
	hour, day := time.Hour, 24*time.Hour
	save(t, m, incoming("A", "hello"))
	for n, step := range []struct {
		change func() error
		chat   string
		want   time.Duration
	}{
		{func() error { return nil }, ann, 0},
		{func() error { return m.ChangeChat(t.Context(), ann, messages.ChatChange{Ephemeral: &hour}) }, ann, time.Hour},
		{func() error { return m.SaveGroup(t.Context(), messages.GroupInfo{JID: group, Ephemeral: day}) }, group, day},
		{func() error {
			return m.ChangeGroup(t.Context(), messages.GroupChange{JID: group, Ephemeral: &hour, At: time.Now()})
		}, group, hour},
		{func() error { return nil }, ben, 0},
		{func() error { return m.ChangeChat(t.Context(), "99@lid", messages.ChatChange{Ephemeral: &day}) }, "99@lid", day},
		// It turns out who that is.
		{func() error { return m.SavePeople(t.Context(), []messages.Person{{JID: ben, LID: "99@lid"}}) }, ben, day},
		{func() error { return nil }, ann, hour},
	} {
		must(t, step.change())
		for range 2 {
			if got, err := m.Expiry(t.Context(), step.chat); err != nil || got != uint32(step.want/time.Second) {
				t.Errorf("after %d, messages to %s disappear after %d s, %v", n, step.chat, got, err)
			}
		}
	}
}

// values returns what the query selects, one text a row.
func values(t *testing.T, db *sql.DB, query string, args ...any) (all []string) {
	t.Helper()
	rows, err := db.Query(query, args...)
	must(t, err)
	defer rows.Close()
	for rows.Next() {
		var s string
		must(t, rows.Scan(&s))
		all = append(all, s)
	}
	must(t, rows.Err())
	return all
}

// earlier returns the texts that a message of Ann's had before, each with its second.
func earlier(t *testing.T, db *sql.DB, id string) []string {
	t.Helper()
	return values(t, db, `SELECT "text" || ' ' || CAST("at" / 1000 - 1700000000 AS TEXT) FROM "edits" WHERE "chat" = $1 AND "id" = $2 ORDER BY "at"`, ann, id)
}

func exec(db *sql.DB, query string, args ...any) error {
	_, err := db.Exec(query, args...)
	return err
}

func testPeople(t *testing.T, open opener) {
	t.Parallel()
	m, db := open(t)
	must(t, m.SavePeople(t.Context(), []messages.Person{{JID: ann, LID: "77@lid", Name: "Ann"}, {JID: ben, PushName: "ben"}, {JID: "88@lid", LID: "88@lid"}}))
	people := `SELECT "jid" || ' ' || "lid" || ' ' || "name" || "push_name" FROM "contacts" ORDER BY "jid"`
	if got, want := values(t, db, people), []string{ann + " 77@lid Ann", ben + "  ben", "88@lid 88@lid "}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	// What is empty leaves what is stored.
	must(t, m.SavePeople(t.Context(), []messages.Person{{JID: ann, PushName: "ann"}}))
	if got := values(t, db, people); got[0] != ann+" 77@lid Annann" {
		t.Errorf("got %q", got)
	}
}

func testGroups(t *testing.T, open opener) {
	t.Parallel()
	m, db := open(t)
	g := messages.GroupInfo{JID: group, Name: "Family", Ephemeral: time.Hour, Members: []messages.Member{{JID: ann, LID: "77@lid", Role: "superadmin"}, {JID: ben}}}
	must(t, m.SaveGroup(t.Context(), g))
	name := "Friends"
	must(t, m.ChangeGroup(t.Context(), messages.GroupChange{JID: group, Name: &name, Joined: []messages.Member{{JID: ben, Role: "admin"}, {JID: self}}, Left: []messages.Member{{JID: ann}}}))
	members := values(t, db, `SELECT "jid" || "lid" || ' ' || "role" FROM "members" WHERE "group" = $1 ORDER BY "jid"`, group)
	if want := []string{ben + " admin", self + " "}; !slices.Equal(members, want) {
		t.Errorf("got %q", members)
	}
	chats, _, err := m.Chats(t.Context(), messages.ChatFilter{JID: group})
	must(t, err)
	if c := chats[0]; c.Name != "Friends" || c.Ephemeral != time.Hour {
		t.Errorf("got %+v", c)
	}
	if got := values(t, db, `SELECT "jid" FROM "contacts" WHERE "lid" = '77@lid'`); !slices.Equal(got, []string{ann}) {
		t.Errorf("a member's addresses are no pair: %q", got)
	}
	said := incoming("A", "at eight")
	said.Chat = group
	save(t, m, said, incoming("B", "to you alone"))
	latest, err := m.Latest(t.Context(), 2)
	must(t, err)
	for _, msg := range latest {
		if want := map[string]string{"A": "Friends"}[msg.ID]; msg.ChatName != want {
			t.Errorf("%s is in a chat called %q", msg.ID, msg.ChatName)
		}
	}
}

func testCalls(t *testing.T, open opener) {
	t.Parallel()
	m, _, events := boxed(t, open)
	call := messages.Call{ID: "C", Chat: ann, Caller: ann, Video: true, At: time.Unix(1_700_000_000, 0)}
	for range 2 {
		must(t, m.SaveCall(t.Context(), call, "", event(t, "offer")))
	}
	end := time.Unix(1_700_000_020, 0)
	must(t, m.EndCall(t.Context(), "C", messages.Missed, end))
	must(t, m.EndCall(t.Context(), "C", messages.Rejected, end.Add(time.Second)))
	all := latest(t, m)
	if len(all) != 1 || all[0].Kind != messages.Called || all[0].Call == nil || all[0].Call.Outcome != messages.Missed || !all[0].Call.EndedAt.Equal(end) || !all[0].Call.Video {
		t.Errorf("got %+v", all)
	}
	if got := events(); len(got) != 1 {
		t.Errorf("got %q", got)
	}
}

func testHistory(t *testing.T, open opener) {
	t.Parallel()
	m, db := open(t)
	for range 2 {
		must(t, m.NoteHistory(t.Context(), "", messages.HistoryProgress{Type: "RECENT", Chats: 2, Messages: 10, Percent: 50, At: time.Unix(1_700_000_000, 0)}))
	}
	var parts, count, percent int
	must(t, db.QueryRow(`SELECT "parts", "messages", "percent" FROM "history" WHERE "type" = 'RECENT'`).Scan(&parts, &count, &percent))
	if parts != 2 || count != 20 || percent != 50 {
		t.Errorf("got %d parts with %d messages, %d %%", parts, count, percent)
	}
}

func testHistoryParts(t *testing.T, open opener) {
	t.Parallel()
	m, _ := open(t)
	for _, id := range []string{"A", "B", "A"} {
		must(t, m.AddHistoryPart(t.Context(), id, []byte{0, 'n', id[0], 0xff}))
	}
	next := func() string {
		t.Helper()
		p, err := m.BeginHistoryPart(t.Context())
		must(t, err)
		if p == nil {
			return "none"
		}
		return fmt.Sprintf("%s%d %x", p.ID, p.Tries, p.Notice)
	}
	got := []string{next(), next(), next()} // one that fails lets the others pass
	must(t, m.NoteHistory(t.Context(), "A", messages.HistoryProgress{Type: "RECENT"}))
	got = append(got, next())
	must(t, m.DropHistoryPart(t.Context(), "B"))
	if got, want := append(got, next()), []string{"A1 006e41ff", "B1 006e42ff", "A2 006e41ff", "B2 006e42ff", "none"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func testMedia(t *testing.T, open opener) {
	t.Parallel()
	m, _ := open(t)
	now := time.Unix(1_700_000_000, 0)
	for i := range 3 {
		msg := incoming(fmt.Sprint(i), "")
		msg.Kind, msg.Media = messages.Image, &messages.Media{Type: messages.ImageFile, File: fmt.Sprint("f", i), State: messages.Waiting, NextAt: now.Add(time.Duration(i-1) * time.Minute)}
		save(t, m, msg, msg)
	}
	due, next, err := m.WaitingMedia(t.Context(), now, 10)
	must(t, err)
	if len(due) != 2 || due[0].File != "f0" || due[1].ID != "1" || !next.Equal(now.Add(time.Minute)) {
		t.Fatalf("got %+v, next %v", due, next)
	}
	f := due[0]
	f.State, f.Size, f.StoredAt = messages.Stored, 5, now
	set := func(f messages.File, want bool) {
		t.Helper()
		kept, err := m.SetMedia(t.Context(), f)
		must(t, err)
		if kept != want {
			t.Errorf("%s is kept: %v", f.File, kept)
		}
	}
	set(f, true)
	gone := f
	gone.File = "gone"
	set(gone, false)
	got, err := m.MediaOf(t.Context(), ann, "0")
	must(t, err)
	if !reflect.DeepEqual(got, f) {
		t.Errorf("got %+v, want %+v", got, f)
	}
	if _, err := m.MediaNamed(t.Context(), "../f0"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("got %v", err)
	}
}

// The number of a row rises even when the clock goes back.
func testSequence(t *testing.T, open opener) {
	t.Parallel()
	m, db := open(t)
	save(t, m, incoming("A", "from the future"))
	future := time.Now().Add(time.Hour).UnixMicro()
	_, err := db.Exec(`UPDATE "messages" SET "seq" = $1`, future)
	must(t, err)
	m = messages.New(db)
	save(t, m, incoming("B", "now"))
	var seq int64
	must(t, db.QueryRow(`SELECT "seq" FROM "messages" WHERE "id" = 'B'`).Scan(&seq))
	if seq != future+1 {
		t.Errorf("got %d, want %d", seq, future+1)
	}
}

// A person is first known by a hidden address alone. When the phone number becomes known, the
// conversation is one.
func testMerging(t *testing.T, open opener) {
	t.Parallel()
	m, db := open(t)
	const lid = "77@lid"
	hidden := func(id, text string) messages.Message {
		msg := incoming(id, text)
		msg.Chat, msg.ChatLID, msg.Sender, msg.SenderLID = lid, lid, lid, lid
		return msg
	}
	reaction := hidden("R", "👍")
	reaction.Kind, reaction.Target = messages.Reaction, "mine"
	mine := outgoing("mine", "hello")
	mine.Chat, mine.ChatLID = lid, lid
	picture := hidden("picture", "look")
	picture.Kind, picture.Media = messages.Image, &messages.Media{Type: messages.ImageFile, File: "f.png", State: messages.Stored}
	twice := hidden("twice", "under both")
	twin := incoming("twice", "under both")
	edited := hidden("E", "look here")
	edited.Kind, edited.Target = messages.Edited, "picture"
	save(t, m, hidden("A", "who is this?"), mine, reaction, picture, edited, twice)
	must(t, m.Receive(t.Context(), messages.Receipt{Chat: lid, ChatLID: lid, Person: lid, IDs: []string{"mine"}, Step: messages.ReadIt, At: mine.At, Whole: true}))
	save(t, m, twin) // before anything says who it is
	known := incoming("B", "it is me")
	known.ChatLID, known.SenderLID, known.SenderName = lid, lid, ""
	save(t, m, known)

	all, total, err := m.InChat(t.Context(), messages.Filter{Chat: ann})
	must(t, err)
	if total != 5 {
		t.Fatalf("%d messages are in the chat: %q", total, texts(all))
	}
	for _, msg := range all {
		if !msg.FromMe && (msg.Sender != ann || msg.Name != "Ann") || msg.ID == "mine" && (len(msg.Reactions) != 1 || msg.Reactions[0].Person != ann) ||
			msg.ID == "picture" && (msg.Media == nil || msg.Text != "look here") {
			t.Errorf("got %+v", msg)
		}
	}
	if p, err := m.Progress(t.Context(), ann, "mine"); err != nil || len(p.People) != 1 || p.People[0].Person != ann {
		t.Errorf("got %+v, %v", p, err)
	}
	if got := earlier(t, db, "picture"); len(got) != 1 {
		t.Errorf("got %q", got)
	}
	chats, total, err := m.Chats(t.Context(), messages.ChatFilter{})
	must(t, err)
	if total != 1 || chats[0].JID != ann || chats[0].LID != lid || chats[0].Unread != 5 {
		t.Errorf("got %+v", chats)
	}
	if found, err := m.Search(t.Context(), "who", 5); err != nil || len(found) != 1 || found[0].Chat != ann {
		t.Errorf("found %q, %v", texts(found), err)
	}
	// What was under way meanwhile is found where it is now.
	must(t, acknowledged(t, m, lid, "mine", mine.At.Add(time.Minute)))
	if p, err := m.Progress(t.Context(), ann, "mine"); err != nil || !p.At.Equal(mine.At.Add(time.Minute)) {
		t.Errorf("got %+v, %v", p, err)
	}
	var left int
	must(t, db.QueryRow(`SELECT count(*) FROM "messages" WHERE "chat" = $1`, lid).Scan(&left))
	if left != 1 { // the one that is there under both
		t.Errorf("%d are left behind", left)
	}
}
