package whatsapp

import (
	"errors"
	"time"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"switchboard/fault"
	"switchboard/messages"
)

// keepState keeps what the phone tells of chats and single messages: archived, pinned, muted,
// read, starred, deleted, labelled. While the whole state comes in after pairing, nothing of
// it is news, and nobody is told.
func (s *Session) keepState(a *account, evt any) error {
	chat := func(jid types.JID) (string, string) { return a.forms(s.ctx, jid, types.EmptyJID) }
	change := func(jid types.JID, c messages.ChatChange) error {
		stored, lid := chat(jid)
		c.LID = lid
		if messages.KindOfChat(stored) != messages.Direct {
			c.LID = ""
		}
		return s.messages.ChangeChat(s.ctx, stored, c)
	}
	switch e := evt.(type) {
	case *events.Archive:
		return change(e.JID, messages.ChatChange{Archived: new(e.Action.GetArchived())})
	case *events.Pin:
		at := time.Time{}
		if e.Action.GetPinned() {
			at = e.Timestamp
		}
		return change(e.JID, messages.ChatChange{PinnedAt: &at})
	case *events.Mute:
		return change(e.JID, messages.ChatChange{MutedUntil: new(mutedUntil(e.Action.GetMuted(), e.Action.GetMuteEndTimestamp()))})
	case *events.MarkChatAsRead:
		unread := 0
		if !e.Action.GetRead() {
			unread = 1
		}
		return change(e.JID, messages.ChatChange{Unread: &unread})
	case *events.Star:
		stored, _ := chat(e.ChatJID)
		return s.messages.Star(s.ctx, stored, e.MessageID, e.Action.GetStarred())
	case *events.DeleteForMe:
		return s.deletedForMe(a, e)
	case *events.LabelEdit:
		if e.FromFullSync {
			return nil
		}
		p := payload{"label_id": e.LabelID}
		if l := e.Action; l != nil {
			for name, field := range map[string]any{
				"name": l.Name, "color": l.Color, "predefined_id": l.PredefinedID, "deleted": l.Deleted, "order_index": l.OrderIndex,
			} {
				if !isNil(field) {
					p[name] = field
				}
			}
			if l.Type != nil {
				p["type"] = l.GetType().String()
			}
		}
		return s.messages.Emit(s.ctx, event("label.edit", "", "", e.Timestamp, p)...)
	case *events.LabelAssociationChat:
		if e.FromFullSync {
			return nil
		}
		stored, lid := chat(e.JID)
		p := payload{"label_id": e.LabelID, "labeled": e.Action.GetLabeled()}.both("chat_id", "chat_lid", stored, lid)
		return s.messages.Emit(s.ctx, event("label.association", stored, lid, e.Timestamp, p)...)
	}
	return nil
}

// isNil tells whether an optional field of a protocol message is not set.
func isNil(field any) bool {
	switch f := field.(type) {
	case *string:
		return f == nil
	case *int32:
		return f == nil
	case *bool:
		return f == nil
	}
	return false
}

// mutedUntil reads what WhatsApp says about muting: a time, or something negative for good.
func mutedUntil(muted bool, end int64) time.Time {
	switch {
	case !muted:
		return time.Time{}
	case end <= 0:
		return forGood
	}
	return time.UnixMilli(end)
}

// forGood is later than everything.
var forGood = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

func (s *Session) deletedForMe(a *account, e *events.DeleteForMe) error {
	chat, lid := a.forms(s.ctx, e.ChatJID, types.EmptyJID)
	if messages.KindOfChat(chat) != messages.Direct {
		lid = ""
	}
	msg, err := s.messages.Message(s.ctx, chat, e.MessageID)
	var told []messages.Event
	switch {
	case err != nil && fault.KindOf(err) != fault.NotFound:
		return err
	case err == nil && !e.FromFullSync:
		who, whoLID := a.forms(s.ctx, a.jid(), a.device.GetLID())
		p := payload{
			"deleted_message_id": e.MessageID, "timestamp": stamp(e.Timestamp), "original_content": msg.Text, "original_sender": msg.Sender,
			"original_timestamp": stamp(msg.At), "was_from_me": msg.FromMe,
		}.both("chat_id", "chat_lid", chat, lid).both("from", "from_lid", who, whoLID)
		if msg.Media != nil {
			p["original_media_type"], p["original_filename"] = string(msg.Media.Type), msg.Media.Name
		}
		told = event("message.deleted", chat, lid, e.Timestamp, p)
	}
	return s.messages.DeletedForMe(s.ctx, chat, e.MessageID, e.Timestamp, told...)
}

// keepGroup keeps what happens to a group.
func (s *Session) keepGroup(a *account, evt any) error {
	switch e := evt.(type) {
	case *events.JoinedGroup:
		g := a.stored(s.ctx, &e.GroupInfo)
		at := time.Now()
		p := payload{"chat_id": g.JID, "name": g.Name, "type": "join", "jids": addresses(g.Members), "lids": hidden(g.Members)}
		if e.Reason != "" {
			p["reason"] = e.Reason
		}
		return s.messages.SaveGroup(s.ctx, g, event("group.joined", g.JID, "", at, p)...)
	case *events.GroupInfo:
		c := messages.GroupChange{JID: e.JID.ToNonAD().String(), At: e.Timestamp}
		if e.Name != nil {
			c.Name = &e.Name.Name
		}
		if e.Topic != nil {
			c.Topic = &e.Topic.Topic
		}
		if e.Announce != nil {
			c.Announce = &e.Announce.IsAnnounce
		}
		if e.Locked != nil {
			c.Locked = &e.Locked.IsLocked
		}
		if e.Ephemeral != nil {
			c.Ephemeral = new(time.Duration(e.Ephemeral.DisappearingTimer) * time.Second)
		}
		var told []messages.Event
		for _, step := range []struct {
			name, role string
			people     []types.JID
		}{{"join", "", e.Join}, {"leave", "", e.Leave}, {"promote", "admin", e.Promote}, {"demote", "", e.Demote}} {
			if len(step.people) == 0 {
				continue
			}
			var all []messages.Member
			for _, jid := range step.people {
				pn, lid := a.forms(s.ctx, jid, types.EmptyJID)
				all = append(all, messages.Member{JID: pn, LID: lid, Role: step.role})
				if step.name == "leave" && a.is(jid) {
					c.Out = true
				}
			}
			if step.name == "leave" {
				c.Left = all
			} else {
				c.Joined = append(c.Joined, all...)
			}
			told = append(told, event("group.participants", c.JID, "", e.Timestamp,
				payload{"chat_id": c.JID, "type": step.name, "jids": addresses(all), "lids": hidden(all)})...)
		}
		if e.Delete != nil && e.Delete.Deleted {
			c.Out = true
		}
		return s.messages.ChangeGroup(s.ctx, c, told...)
	}
	return errors.New("no event of a group")
}

func addresses(all []messages.Member) []string {
	jids := make([]string, len(all))
	for i, m := range all {
		jids[i] = m.JID
	}
	return jids
}

// hidden are the other forms of these addresses, in the same order; "" where it is not known.
func hidden(all []messages.Member) []string {
	lids := make([]string, len(all))
	for i, m := range all {
		lids[i] = m.LID
	}
	return lids
}

// keepCall keeps what becomes of a call.
func (s *Session) keepCall(a *account, evt any) error {
	switch e := evt.(type) {
	case *events.CallOffer:
		return s.callOffer(a, e.BasicCallMeta, e.CallRemoteMeta, e.Data.GetChildByTag("video").Tag != "")
	case *events.CallOfferNotice:
		return s.callOffer(a, e.BasicCallMeta, types.CallRemoteMeta{}, e.Media == "video")
	case *events.CallAccept:
		return s.messages.EndCall(s.ctx, e.CallID, messages.Accepted, e.Timestamp)
	case *events.CallReject:
		return s.messages.EndCall(s.ctx, e.CallID, messages.Rejected, e.Timestamp)
	case *events.CallTerminate:
		return s.messages.EndCall(s.ctx, e.CallID, messages.Missed, e.Timestamp)
	}
	return errors.New("no event of a call")
}

func (s *Session) callOffer(a *account, call types.BasicCallMeta, remote types.CallRemoteMeta, video bool) error {
	a.calls.ring(call.CallID, call.CallCreator)
	caller, callerLID := a.forms(s.ctx, call.CallCreator, call.CallCreatorAlt)
	if caller == "" {
		caller, callerLID = a.forms(s.ctx, call.From, types.EmptyJID)
	}
	c := messages.Call{ID: call.CallID, Chat: caller, Caller: caller, CallerLID: callerLID, Video: video, At: call.Timestamp}
	chatLID := callerLID
	if !call.GroupJID.IsEmpty() {
		c.Chat, chatLID = call.GroupJID.ToNonAD().String(), ""
	}
	declined := s.decline(a, call)
	if declined {
		c.Outcome = messages.Declined
	}
	p := payload{"call_id": call.CallID, "auto_rejected": declined}.both("from", "from_lid", caller, callerLID)
	if jid, err := types.ParseJID(caller); err == nil {
		if known, err := a.device.Contacts.GetContact(s.ctx, jid); err == nil {
			if name := firstOf(known.FullName, known.FirstName, known.BusinessName, known.PushName); name != "" {
				p["sender_display_name"] = name
			}
		}
	}
	for name, value := range map[string]string{"remote_platform": remote.RemotePlatform, "remote_version": remote.RemoteVersion} {
		if value != "" {
			p[name] = value
		}
	}
	if chatLID == "" && c.Chat != caller {
		p["group_jid"] = c.Chat
	}
	return s.messages.SaveCall(s.ctx, c, chatLID, event("call.offer", c.Chat, chatLID, call.Timestamp, p)...)
}

// passing returns the events of what is told and not kept.
func (s *Session) passing(a *account, evt any) []messages.Event {
	now := time.Now()
	switch e := evt.(type) {
	case *events.ChatPresence:
		person, personLID := a.forms(s.ctx, e.Sender, e.SenderAlt)
		chat, lid := person, personLID
		if e.IsGroup {
			chat, lid = e.Chat.ToNonAD().String(), ""
		}
		return event("chat_presence", chat, lid, now,
			payload{"state": string(e.State), "media": string(e.Media), "is_group": e.IsGroup}.
				both("from", "from_lid", person, personLID).both("chat_id", "chat_lid", chat, lid))
	case *events.NewsletterJoin:
		p := payload{"newsletter_id": e.ID.String()}
		if name := e.ThreadMeta.Name.Text; name != "" {
			p["name"] = name
		}
		if description := e.ThreadMeta.Description.Text; description != "" {
			p["description"] = description
		}
		return event("newsletter.joined", e.ID.String(), "", now, p)
	case *events.NewsletterLeave:
		return event("newsletter.left", e.ID.String(), "", now, payload{"newsletter_id": e.ID.String(), "role": string(e.Role)})
	case *events.NewsletterMuteChange:
		return event("newsletter.mute", e.ID.String(), "", now, payload{"newsletter_id": e.ID.String(), "mute": string(e.Mute)})
	case *events.NewsletterLiveUpdate:
		posts := []payload{}
		for _, m := range e.Messages {
			p := payload{"server_id": m.MessageServerID, "message_id": m.MessageID, "type": m.Type, "timestamp": stamp(m.Timestamp)}
			if m.ViewsCount > 0 {
				p["views_count"] = m.ViewsCount
			}
			if len(m.ReactionCounts) > 0 {
				p["reaction_counts"] = m.ReactionCounts
			}
			posts = append(posts, p)
		}
		return event("newsletter.message", e.JID.String(), "", e.Time, payload{"newsletter_id": e.JID.String(), "messages": posts})
	}
	return nil
}
