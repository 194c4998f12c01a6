package phone

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"switchboard/engine"

	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waSyncAction"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
)

// Marks is how a chat is marked, on whichever device of the account that was done.
type Marks struct {
	Pinned       bool            `json:"pinned"`
	Archived     bool            `json:"archived"`
	Muted        bool            `json:"muted"`
	MutedUntil   time.Time       `json:"muted_until,omitzero"` // zero of a muted chat: for ever
	Unread       bool            `json:"marked_unread"`
	Labels       map[string]bool `json:"labels,omitempty"`       // by their ids
	Disappearing int             `json:"disappearing,omitempty"` // seconds
}

// View is what the owner of a phone sees beside the messages. Version rises with every
// change while the program runs.
type View struct {
	Version int64             `json:"version"`
	Name    string            `json:"name"`   // of the owner
	Chats   map[string]Marks  `json:"chats"`  // by number or id; those with marks
	Labels  map[string]string `json:"labels"` // names by ids
	Calls   []Call            `json:"calls"`

	Activity map[string]Activity `json:"activity"` // of the other sides, by number or group
}

const marksSchema = `
CREATE TABLE IF NOT EXISTS "marks" (
	"phone" TEXT NOT NULL,
	"chat"  TEXT NOT NULL, -- "" holds the names of labels
	"marks" TEXT NOT NULL,
	PRIMARY KEY ("phone", "chat")
);
`

// loadMarks reads the marks of all chats and the names of labels, once.
func (p *Phone) loadMarks(ctx context.Context) error {
	if p.marks != nil {
		return nil
	}
	marks, labels := map[string]Marks{}, map[string]string{}
	err := engine.Each(ctx, p.fleet.db, "read how chats are marked", func(r engine.Row) error {
		var chat, text string
		if err := r.Scan(&chat, &text); err != nil {
			return err
		}
		if chat == "" {
			return json.Unmarshal([]byte(text), &labels)
		}
		var m Marks
		err := json.Unmarshal([]byte(text), &m)
		marks[chat] = m
		return err
	}, `SELECT "chat", "marks" FROM "marks" WHERE "phone" = $1`, p.number)
	if err != nil {
		return err
	}
	p.marks, p.labels = marks, labels
	return nil
}

func (p *Phone) saveMarks(ctx context.Context, chat string, what any) error {
	text, err := json.Marshal(what)
	if err != nil {
		return err
	}
	_, err = p.fleet.db.ExecContext(ctx, `INSERT INTO "marks" ("phone", "chat", "marks") VALUES ($1, $2, $3)
		ON CONFLICT ("phone", "chat") DO UPDATE SET "marks" = excluded."marks"`, p.number, chat, string(text))
	if err != nil {
		return fmt.Errorf("save how a chat is marked: %w", err)
	}
	return nil
}

// mark changes how a chat is marked and wakes the watchers.
func (p *Phone) mark(ctx context.Context, jid types.JID, change func(*Marks)) error {
	return p.markChat(ctx, p.person(ctx, jid), change)
}

func (p *Phone) markChat(ctx context.Context, chat string, change func(*Marks)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.loadMarks(ctx); err != nil {
		return err
	}
	m := p.marks[chat]
	m.Labels = maps.Clone(m.Labels)
	change(&m)
	if err := p.saveMarks(ctx, chat, m); err != nil {
		return err
	}
	p.marks[chat] = m
	p.wake()
	return nil
}

// marked does what another device of the account did to a chat, and to the owner's name.
func (p *Phone) marked(ctx context.Context, event any) error {
	switch e := event.(type) {
	case *events.Pin:
		return p.mark(ctx, e.JID, func(m *Marks) { m.Pinned = e.Action.GetPinned() })
	case *events.Archive:
		return p.mark(ctx, e.JID, func(m *Marks) { m.Archived = e.Action.GetArchived() })
	case *events.Mute:
		return p.mark(ctx, e.JID, func(m *Marks) {
			m.Muted, m.MutedUntil = e.Action.GetMuted(), time.Time{}
			if end := e.Action.GetMuteEndTimestamp(); m.Muted && end > 0 {
				m.MutedUntil = time.UnixMilli(end).UTC()
			}
		})
	case *events.MarkChatAsRead:
		return p.mark(ctx, e.JID, func(m *Marks) { m.Unread = !e.Action.GetRead() })
	case *events.LabelAssociationChat:
		return p.mark(ctx, e.JID, func(m *Marks) {
			if m.Labels == nil {
				m.Labels = map[string]bool{}
			}
			if m.Labels[e.LabelID] = true; !e.Action.GetLabeled() {
				delete(m.Labels, e.LabelID)
			}
		})
	case *events.LabelEdit:
		p.mu.Lock()
		defer p.mu.Unlock()
		if err := p.loadMarks(ctx); err != nil {
			return err
		}
		if p.labels[e.LabelID] = e.Action.GetName(); e.Action.GetDeleted() {
			delete(p.labels, e.LabelID)
		}
		p.wake()
		return p.saveMarks(ctx, "", p.labels)
	case *events.PushNameSetting:
		if name := e.Action.GetName(); name != "" {
			err := p.remember(ctx, func(r *record) { r.Name = name })
			p.mu.Lock()
			defer p.mu.Unlock()
			p.wake()
			return err
		}
	}
	return nil
}

// View returns what the owner sees beside the messages, once its Version is above after. It
// waits for that until ctx ends, and then returns what there is.
func (p *Phone) View(ctx context.Context, after int64) (View, error) {
	for {
		p.mu.Lock()
		if err := p.loadMarks(ctx); err != nil {
			p.mu.Unlock()
			return View{}, err
		}
		v := View{Version: p.version, Name: p.record.Name, Chats: maps.Clone(p.marks), Labels: maps.Clone(p.labels), Calls: append([]Call{}, p.calls...),
			Activity: maps.Clone(p.activity)}
		changed := p.changed
		p.mu.Unlock()
		if v.Version > after {
			return v, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return v, nil
		case <-p.fleet.ctx.Done():
			return v, errSwitchedOff
		}
	}
}

// EditLabel makes a label, names it anew, or deletes it.
func (p *Phone) EditLabel(ctx context.Context, label, name string, deleted bool) error {
	return p.patch(ctx, "edit a label", appstate.BuildLabelEdit(label, name, 0, deleted))
}

// LabelChat puts a label on a chat, or takes it off.
func (p *Phone) LabelChat(ctx context.Context, label, chat string, labeled bool) error {
	jid, err := p.address(chat)
	if err != nil {
		return err
	}
	return p.patch(ctx, "label a chat", appstate.BuildLabelChat(jid, label, labeled))
}

// DeleteForMe deletes a message on the devices of this account alone.
func (p *Phone) DeleteForMe(ctx context.Context, chat, id string) error {
	r, err := p.find(ctx, chat, id)
	if err != nil {
		return err
	}
	to, from, err := r.addresses()
	if err != nil {
		return err
	}
	mine, sender := "0", "0"
	if r.FromMe {
		mine = "1"
	} else if to.Server == types.GroupServer {
		sender = from.String()
	}
	err = p.patch(ctx, "delete a message", appstate.PatchInfo{Type: appstate.WAPatchRegularHigh, Mutations: []appstate.MutationInfo{{
		Index: []string{appstate.IndexDeleteMessageForMe, to.String(), id, mine, sender}, Version: 3,
		Value: &waSyncAction.SyncActionValue{DeleteMessageForMeAction: &waSyncAction.DeleteMessageForMeAction{
			DeleteMedia: proto.Bool(true), MessageTimestamp: proto.Int64(r.Time.Unix()),
		}},
	}}})
	if err != nil {
		return err
	}
	return p.change(ctx, r.Chat, id, func(r *row) bool { r.Deleted, r.Unread = true, false; return true })
}

// patch changes the state that all devices of the account share.
func (p *Phone) patch(ctx context.Context, what string, patch appstate.PatchInfo) error {
	if err := p.ready(ctx); err != nil {
		return err
	}
	if err := p.seedAppState(ctx); err != nil {
		return err
	}
	if err := p.client.SendAppState(ctx, patch); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// SaveContact puts somebody into the address book, or gives them another name.
func (p *Phone) SaveContact(ctx context.Context, number, name string) error {
	jid, err := p.address(number)
	if err != nil {
		return err
	}
	return p.patch(ctx, "save a contact", appstate.PatchInfo{
		Type: appstate.WAPatchCriticalUnblockLow, Mutations: []appstate.MutationInfo{contact(jid, name)},
	})
}
