package phone

import (
	"bytes"
	"compress/zlib"
	"context"
	"fmt"
	"math"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

const (
	historyChats    = 50  // that a linked device gets to begin with
	historyMessages = 50  // of each of them
	maxOnDemand     = 200 // that it gets when it asks for more
)

// sendHistory sends a linked device its first history: the names, the chats with their last
// messages within the message itself, and the rest as a file.
func (p *Phone) sendHistory(ctx context.Context, to types.JID) error {
	names, recent, err := p.history(ctx)
	if err != nil {
		return err
	}
	var bootstrap []*waHistorySync.Conversation
	for _, c := range recent {
		first := proto.Clone(c).(*waHistorySync.Conversation)
		first.Messages = first.Messages[:min(len(first.Messages), 1)]
		bootstrap = append(bootstrap, first)
	}
	var mappings []*waHistorySync.PhoneNumberToLIDMapping
	for _, c := range recent {
		if c.GetLidJID() != "" {
			mappings = append(mappings, &waHistorySync.PhoneNumberToLIDMapping{PnJID: c.PnJID, LidJID: c.LidJID})
		}
	}
	parts := []struct {
		history *waHistorySync.HistorySync
		inline  bool
	}{
		{&waHistorySync.HistorySync{SyncType: waHistorySync.HistorySync_PUSH_NAME.Enum(), Pushnames: names}, true},
		{&waHistorySync.HistorySync{SyncType: waHistorySync.HistorySync_INITIAL_BOOTSTRAP.Enum(), Conversations: bootstrap, PhoneNumberToLidMappings: mappings}, true},
		{&waHistorySync.HistorySync{SyncType: waHistorySync.HistorySync_RECENT.Enum(), Conversations: recent, PhoneNumberToLidMappings: mappings}, false},
	}
	for i, part := range parts {
		part.history.ChunkOrder = proto.Uint32(uint32(i + 1))
		part.history.Progress = proto.Uint32(uint32((i + 1) * 100 / len(parts)))
		if err := p.sendHistoryPart(ctx, to, part.history, part.inline, ""); err != nil {
			return err
		}
	}
	return nil
}

func (p *Phone) sendHistoryPart(ctx context.Context, to types.JID, h *waHistorySync.HistorySync, inline bool, request types.MessageID) error {
	raw, err := proto.Marshal(h)
	if err != nil {
		return fmt.Errorf("write down the history: %w", err)
	}
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	_, _ = z.Write(raw) // into memory
	_ = z.Close()
	n := &waE2E.HistorySyncNotification{
		SyncType:                 waE2E.HistorySyncType(h.GetSyncType()).Enum(),
		ChunkOrder:               h.ChunkOrder,
		Progress:                 h.Progress,
		PeerDataRequestSessionID: optional(request),
	}
	if inline {
		n.InitialHistBootstrapInlinePayload = packed.Bytes()
	} else {
		up, err := p.client.Upload(ctx, packed.Bytes(), whatsmeow.MediaHistory)
		if err != nil {
			return fmt.Errorf("upload the history: %w", err)
		}
		n.DirectPath, n.MediaKey, n.FileLength = &up.DirectPath, up.MediaKey, &up.FileLength
		n.FileSHA256, n.FileEncSHA256 = up.FileSHA256, up.FileEncSHA256
	}
	return p.sendPeer(ctx, to, &waE2E.ProtocolMessage{
		Type:                    waE2E.ProtocolMessage_HISTORY_SYNC_NOTIFICATION.Enum(),
		HistorySyncNotification: n,
	})
}

// sendHistoryOnDemand sends the messages before the one that a linked device knows as its oldest.
func (p *Phone) sendHistoryOnDemand(ctx context.Context, to types.JID, id types.MessageID, r *waE2E.PeerDataOperationRequestMessage_HistorySyncOnDemandRequest) error {
	chat, err := types.ParseJID(r.GetChatJID())
	if err != nil {
		return fmt.Errorf("read which chat's history is wanted: %w", err)
	}
	key := p.person(ctx, chat)
	if chat.Server == types.GroupServer {
		key = chat.String()
	}
	before := time.Unix(r.GetOldestMsgTimestampMS(), 0).UnixMilli() // seconds, whatever the name says
	if oldest, err := p.fleet.book.get(ctx, p.number, key, r.GetOldestMsgID()); err != nil {
		return err
	} else if oldest != nil {
		before = oldest.Time.UnixMilli()
	}
	c, err := p.conversation(ctx, key, before, min(int(r.GetOnDemandMsgCount()), maxOnDemand))
	if err != nil {
		return err
	}
	h := &waHistorySync.HistorySync{
		SyncType:      waHistorySync.HistorySync_ON_DEMAND.Enum(),
		Conversations: []*waHistorySync.Conversation{c},
		ChunkOrder:    proto.Uint32(1),
		Progress:      proto.Uint32(100),
	}
	return p.sendHistoryPart(ctx, to, h, false, id)
}

// history collects the names of the people in the phone's chats, and the chats.
func (p *Phone) history(ctx context.Context) ([]*waHistorySync.Pushname, []*waHistorySync.Conversation, error) {
	chats, err := p.fleet.book.chats(ctx, p.number)
	if err != nil {
		return nil, nil, err
	}
	names := []*waHistorySync.Pushname{pushName(p.number, p.Name())}
	var all []*waHistorySync.Conversation
	for _, chat := range chats[:min(len(chats), historyChats)] {
		c, err := p.conversation(ctx, chat.Chat, math.MaxInt64, historyMessages)
		if err != nil {
			return nil, nil, err
		}
		c.UnreadCount = proto.Uint32(uint32(chat.Unread))
		all = append(all, c)
		if other, err := p.fleet.Phone(chat.Chat); err == nil && other != p {
			names = append(names, pushName(other.number, other.Name()))
		}
	}
	return names, all, nil
}

func pushName(number, name string) *waHistorySync.Pushname {
	return &waHistorySync.Pushname{ID: proto.String(types.NewJID(number, types.DefaultUserServer).String()), Pushname: proto.String(name)}
}

// conversation is one chat with its last messages before a time (Unix milliseconds), newest first.
func (p *Phone) conversation(ctx context.Context, chat string, before int64, limit int) (*waHistorySync.Conversation, error) {
	jid, err := p.address(chat)
	if err != nil {
		return nil, err
	}
	c := &waHistorySync.Conversation{
		ID:                   proto.String(jid.String()),
		Name:                 proto.String(p.NameOf(ctx, chat)),
		EndOfHistoryTransfer: proto.Bool(true),
	}
	if jid.Server == types.DefaultUserServer {
		lid, err := p.client.Store.LIDs.GetLIDForPN(ctx, jid)
		if err != nil {
			return nil, fmt.Errorf("find the address of a chat: %w", err)
		}
		c.PnJID, c.LidJID = proto.String(jid.String()), optional(lid.String())
	}
	rows, err := p.fleet.book.last(ctx, p.number, chat, before, limit)
	if err != nil {
		return nil, err
	}
	for i, r := range rows {
		info, err := p.webMessage(r)
		if err != nil {
			return nil, err
		}
		info.Key.RemoteJID = c.ID
		c.Messages = append(c.Messages, &waHistorySync.HistorySyncMsg{Message: info, MsgOrderID: proto.Uint64(uint64(len(rows) - i))})
	}
	if len(rows) > 0 {
		c.ConversationTimestamp = proto.Uint64(uint64(rows[0].Time.Unix()))
	}
	return c, nil
}

// webMessage is an entry in the form in which devices of one account pass messages on.
func (p *Phone) webMessage(r *row) (*waWeb.WebMessageInfo, error) {
	m := &waE2E.Message{}
	if err := proto.Unmarshal(r.message, m); err != nil {
		return nil, fmt.Errorf("read an entry's message: %w", err)
	}
	chat, sender, err := r.addresses()
	if err != nil {
		return nil, err
	}
	info := &waWeb.WebMessageInfo{
		Key:              &waCommon.MessageKey{RemoteJID: proto.String(chat.String()), FromMe: proto.Bool(r.FromMe), ID: proto.String(r.ID)},
		Message:          m,
		MessageTimestamp: proto.Uint64(uint64(r.Time.Unix())),
		Status:           webStatus[r.Status].Enum(),
	}
	if !r.FromMe {
		info.PushName = proto.String(p.NameOf(context.Background(), r.From))
		if chat.Server == types.GroupServer {
			info.Participant = proto.String(sender.String())
			info.Key.Participant = info.Participant
		}
	}
	return info, nil
}

var webStatus = map[Status]waWeb.WebMessageInfo_Status{
	Received:  waWeb.WebMessageInfo_DELIVERY_ACK,
	Failed:    waWeb.WebMessageInfo_ERROR,
	Pending:   waWeb.WebMessageInfo_PENDING,
	Sent:      waWeb.WebMessageInfo_SERVER_ACK,
	Delivered: waWeb.WebMessageInfo_DELIVERY_ACK,
	Read:      waWeb.WebMessageInfo_READ,
}
