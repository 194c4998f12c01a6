package phone

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"switchboard/fault"
)

// page is how many entries are read at once.
const page = 500

// Chats lists the phone's chats, the liveliest first.
func (p *Phone) Chats(ctx context.Context) ([]Chat, error) {
	chats, err := p.fleet.book.chats(ctx, p.number)
	if err != nil {
		return nil, err
	}
	for i, c := range chats {
		last, err := p.fleet.book.last(ctx, p.number, c.Chat, math.MaxInt64, 1)
		if err != nil {
			return nil, err
		}
		if len(last) == 1 {
			chats[i].Last = last[0].Entry
		}
		chats[i].Group = strings.Contains(c.Chat, "@")
		chats[i].Name = p.NameOf(ctx, c.Chat)
	}
	return chats, nil
}

// NameOf returns what the phone calls a number or a group.
func (p *Phone) NameOf(ctx context.Context, chat string) string {
	if chat == p.number {
		return p.Name() + " (you)"
	}
	if strings.Contains(chat, "@") {
		p.mu.Lock()
		name := p.groups[chat]
		p.mu.Unlock()
		if name != "" {
			return name
		}
		return "Group"
	}
	if other, err := p.fleet.Phone(chat); err == nil {
		return other.Name()
	}
	return "+" + chat
}

// Entries returns the last entries of a chat, oldest first, at most limit.
func (p *Phone) Entries(ctx context.Context, chat string, limit int) ([]Entry, error) {
	chat, err := p.chatKey(chat)
	if err != nil {
		return nil, err
	}
	rows, err := p.fleet.book.last(ctx, p.number, chat, math.MaxInt64, min(limit, page))
	if err != nil {
		return nil, err
	}
	slices.Reverse(rows)
	return entries(rows), nil
}

// Changes returns the entries that were added or changed after the Seq after, oldest change
// first and a page at most. It does not wait.
func (p *Phone) Changes(ctx context.Context, after int64) ([]Entry, error) {
	rows, err := p.fleet.book.since(ctx, p.number, after, page)
	return entries(rows), err
}

// Watch is Changes, but waits until there is something to return or ctx ends, which is its
// error then. It also returns, with nothing, when somebody begins or stops typing.
func (p *Phone) Watch(ctx context.Context, after int64) ([]Entry, error) {
	p.mu.Lock()
	changed := p.changed
	p.mu.Unlock()
	all, err := p.Changes(ctx, after)
	if err != nil || len(all) > 0 {
		return all, err
	}
	select {
	case <-changed:
		return p.Changes(ctx, after)
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.fleet.ctx.Done():
		return nil, errSwitchedOff
	}
}

// WaitFor returns the first entry, in the order of their changes, that is newer than after
// and matches. The error is that of ctx if none comes.
func (p *Phone) WaitFor(ctx context.Context, after int64, match func(Entry) bool) (Entry, error) {
	for {
		all, err := p.Watch(ctx, after)
		if err != nil {
			return Entry{}, err
		}
		for _, e := range all {
			if match(e) {
				return e, nil
			}
			after = e.Seq
		}
	}
}

// Seq returns the Seq of the last change of any phone: what comes after it is new.
func (p *Phone) Seq() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fleet.book.seq.Load()
}

// Download fetches and decrypts the file of an entry.
func (p *Phone) Download(ctx context.Context, chat, id string) ([]byte, error) {
	r, err := p.find(ctx, chat, id)
	if err != nil {
		return nil, err
	}
	if r.Media == nil {
		return nil, fault.New(fault.NotFound, "This message has no file.")
	}
	m := &waE2E.Message{}
	if err := proto.Unmarshal(r.message, m); err != nil {
		return nil, fmt.Errorf("read a message with a file: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	data, err := p.client.DownloadAny(ctx, m)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, "The file could not be fetched from the network. It may have expired.", err)
	}
	return data, nil
}

func entries(rows []*row) []Entry {
	all := make([]Entry, len(rows))
	for i, r := range rows {
		all[i] = r.Entry
		all[i].Time = all[i].Time.In(time.UTC)
	}
	return all
}

// Entry returns one entry.
func (p *Phone) Entry(ctx context.Context, chat, id string) (Entry, error) {
	r, err := p.find(ctx, chat, id)
	if err != nil {
		return Entry{}, err
	}
	return entries([]*row{r})[0], nil
}
