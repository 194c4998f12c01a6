package whatsapp

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/types"

	"switchboard/fault"
	"switchboard/messages"
)

// maxLabel is how many characters a label's name has at most.
const maxLabel = 100

// What is done here to a chat is the owner's own view of it: the phone and all linked
// devices share it, and nobody else sees it.

// PinChat puts a chat on top of the list, or no longer.
func (s *Session) PinChat(ctx context.Context, chat string, pinned bool) error {
	return s.mark(ctx, chat, func(jid types.JID) appstate.PatchInfo { return appstate.BuildPin(jid, pinned) })
}

// ArchiveChat takes a chat out of the list, or back. An archived chat is no longer pinned.
func (s *Session) ArchiveChat(ctx context.Context, chat string, archived bool) error {
	return s.mark(ctx, chat, func(jid types.JID) appstate.PatchInfo {
		return appstate.BuildArchive(jid, archived, time.Time{}, nil)
	})
}

// MuteChat keeps a chat silent for a while, for ever if length is 0, or no longer.
func (s *Session) MuteChat(ctx context.Context, chat string, muted bool, length time.Duration) error {
	if length < 0 {
		return fault.InField("duration", "Say for how many seconds the chat is to be silent, or 0 for always.")
	}
	return s.mark(ctx, chat, func(jid types.JID) appstate.PatchInfo { return appstate.BuildMute(jid, muted, length) })
}

// MarkChat marks a chat as unread or read. The other side learns nothing of it.
func (s *Session) MarkChat(ctx context.Context, chat string, read bool) error {
	return s.mark(ctx, chat, func(jid types.JID) appstate.PatchInfo {
		return appstate.BuildMarkChatAsRead(jid, read, time.Time{}, nil)
	})
}

// LabelChat puts a label on a chat, or takes it off. With a name, the label gets that name,
// and is made if there is none. Only the WhatsApp Business app shows labels.
func (s *Session) LabelChat(ctx context.Context, chat, label, name string, labeled bool) error {
	if label = strings.TrimSpace(label); label == "" || len(label) > 20 || strings.Trim(label, "0123456789") != "" {
		return fault.InField("label_id", "A label is named by its number.")
	}
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxLabel {
		return fault.InField("label_name", "A label's name has at most 100 characters.")
	}
	return s.mark(ctx, chat, func(jid types.JID) appstate.PatchInfo {
		patch := appstate.BuildLabelChat(jid, label, labeled)
		if name != "" {
			edit := appstate.BuildLabelEdit(label, name, 0, false)
			patch.Mutations = append(edit.Mutations, patch.Mutations...)
		}
		return patch
	})
}

// mark changes what the account's devices share about a chat.
func (s *Session) mark(ctx context.Context, chat string, patch func(types.JID) appstate.PatchInfo) error {
	jid, err := address("chat_jid", chat)
	if err != nil {
		return err
	}
	return s.with(ctx, func(ctx context.Context, a *account) error {
		return a.share(ctx, patch(a.numbered(ctx, jid)))
	})
}

// keysTimeout is how long the phone of a number that was just linked may take to hand over
// the keys of what its devices share.
const keysTimeout = 15 * time.Second

// share changes what the account's devices share.
func (a *account) share(ctx context.Context, patch appstate.PatchInfo) error {
	wait, cancel := context.WithTimeout(ctx, keysTimeout)
	defer cancel()
	for {
		key, err := a.device.AppStateKeys.GetLatestAppStateSyncKeyID(wait)
		if key != nil {
			break
		}
		if err != nil && wait.Err() == nil {
			return err
		}
		select {
		case <-time.After(200 * time.Millisecond): // whatsmeow does not tell when they come
		case <-wait.Done():
			return fault.New(fault.Conflict, "The phone has not handed over what is needed for this yet. Open WhatsApp on it, and try again in a minute.")
		}
	}
	// whatsmeow tries once more by itself when somebody else was faster. Its own first
	// reading of everything, after the linking, can be in the way twice.
	for tries := 4; ; tries-- {
		err := a.client.SendAppState(ctx, patch)
		switch {
		case !errors.Is(err, whatsmeow.ErrAppStateUpdate):
			return err
		case tries == 1:
			return fault.Wrap(fault.Conflict, "Other devices of this number change the same at this moment. Try again.", err)
		}
		select {
		case <-time.After(250 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// timers are the times after which WhatsApp lets messages disappear.
var timers = map[time.Duration]bool{0: true, 24 * time.Hour: true, 7 * 24 * time.Hour: true, 90 * 24 * time.Hour: true}

// SetDisappearing has the messages of a chat disappear after a while, or with 0 never.
// Everybody in the chat sees that it was set.
func (s *Session) SetDisappearing(ctx context.Context, chat string, after time.Duration) error {
	jid, err := address("chat_jid", chat)
	switch {
	case err != nil:
		return err
	case !timers[after]:
		return fault.InField("timer_seconds", "timer_seconds must be one of: 0 (off), 86400 (24 hours), 604800 (7 days), 7776000 (90 days).")
	case jid.Server == types.NewsletterServer:
		return fault.InField("chat_jid", "The messages of a channel do not disappear.")
	}
	return s.with(ctx, func(ctx context.Context, a *account) error {
		if jid.Server == types.GroupServer {
			return a.client.SetDisappearingTimer(ctx, jid, after, time.Time{})
		}
		if jid, err = a.member(ctx, "chat_jid", jid); err != nil {
			return err
		}
		err := a.guard.Send(ctx, jid, func(ctx context.Context) error {
			return a.client.SetDisappearingTimer(ctx, jid, after, time.Time{})
		})
		if err != nil {
			return err
		}
		return s.expires(ctx, a, jid, after) // WhatsApp tells everybody but us
	})
}

// expires notes after which time messages of a chat with one person disappear.
func (s *Session) expires(ctx context.Context, a *account, jid types.JID, after time.Duration) error {
	chat, lid := a.forms(ctx, jid, types.EmptyJID)
	return s.messages.ChangeChat(ctx, chat, messages.ChatChange{LID: lid, Ephemeral: &after})
}
