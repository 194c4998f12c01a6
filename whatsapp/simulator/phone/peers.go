package phone

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"go.mau.fi/libsignal/session"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
)

// peerMessage is a message to one linked device, kept for the case that it asks again.
type peerMessage struct {
	to      types.JID
	message *waE2E.Message
}

// maxPeers is how many peer messages a phone keeps for retry receipts.
const maxPeers = 64

// greet gives a device that was just linked what it needs to begin: the keys of the app
// state and the history. The network keeps it until the device logs in.
func (p *Phone) greet(ctx context.Context, jid types.JID) error {
	if err := p.seedAppState(ctx); err != nil {
		return err
	}
	if err := p.ensureSession(ctx, jid); err != nil {
		return err
	}
	share, err := p.keyShare(ctx)
	if err != nil {
		return err
	}
	if err := p.sendPeer(ctx, jid, share); err != nil {
		return err
	}
	return p.sendHistory(ctx, jid)
}

// ensureSession makes a Signal session with a linked device if there is none: whatsmeow does
// so for chats, but expects it of a peer message.
func (p *Phone) ensureSession(ctx context.Context, jid types.JID) error {
	lid := p.client.Store.GetLID()
	lid.Device = jid.Device
	address := lid.SignalAddress()
	has, err := p.client.Store.Sessions.HasSession(ctx, address.String())
	if err != nil {
		return fmt.Errorf("look for a session with a linked device: %w", err)
	}
	if has {
		return nil
	}
	bundle := p.client.DangerousInternals().FetchPreKeysNoError(ctx, []types.JID{lid})[lid]
	if bundle == nil {
		return fmt.Errorf("the network has no keys of the linked device %d", jid.Device)
	}
	return p.guard.Send(ctx, lid, func(ctx context.Context) error {
		err := session.NewBuilderFromSignal(p.client.Store, address, store.SignalProtobufSerializer).ProcessBundle(ctx, bundle)
		if err != nil {
			return fmt.Errorf("begin a session with a linked device: %w", err)
		}
		return nil
	})
}

// sendPeer sends a message to one linked device alone.
func (p *Phone) sendPeer(ctx context.Context, to types.JID, m *waE2E.ProtocolMessage) error {
	message := &waE2E.Message{ProtocolMessage: m}
	id := p.client.GenerateMessageID()
	p.mu.Lock()
	if len(p.peers) >= maxPeers {
		clear(p.peers)
	}
	p.peers[id] = &peerMessage{to: to, message: message}
	p.mu.Unlock()
	err := p.guard.Send(ctx, to, func(ctx context.Context) error {
		_, err := p.client.SendMessage(ctx, to, message, whatsmeow.SendRequestExtra{ID: id, Peer: true})
		return err
	})
	if err != nil {
		return fmt.Errorf("send %s to a linked device: %w", m.GetType(), err)
	}
	return nil
}

// messageForRetry finds a message that another device could not open: one to a linked
// device, or one that is older than what whatsmeow keeps in memory.
func (p *Phone) messageForRetry(requester, to types.JID, id types.MessageID) *waE2E.Message {
	p.mu.Lock()
	peer := p.peers[id]
	p.mu.Unlock()
	if peer != nil && peer.to.Device == requester.Device {
		return proto.Clone(peer.message).(*waE2E.Message)
	}
	chat := to.String()
	if to.Server != types.GroupServer {
		chat = p.person(p.fleet.ctx, to)
	}
	r, err := p.fleet.book.get(p.fleet.ctx, p.number, chat, id)
	if err != nil || r == nil || !r.FromMe || r.Revoked {
		return nil
	}
	m := &waE2E.Message{}
	if err := proto.Unmarshal(r.message, m); err != nil {
		return nil
	}
	return m
}

// isPeerRequest reports whether m is a linked device asking the phone for something.
func isPeerRequest(m *waE2E.Message) bool {
	return m.GetProtocolMessage().GetAppStateSyncKeyRequest() != nil ||
		m.GetProtocolMessage().GetPeerDataOperationRequestMessage() != nil
}

// answerPeer gives a linked device what it asks for.
func (p *Phone) answerPeer(ctx context.Context, e *events.Message) {
	to := *p.client.Store.ID
	to.Device = e.Info.Sender.Device
	var err error
	request := e.Message.GetProtocolMessage().GetPeerDataOperationRequestMessage()
	switch {
	case e.Message.GetProtocolMessage().GetAppStateSyncKeyRequest() != nil:
		var share *waE2E.ProtocolMessage
		if share, err = p.keyShare(ctx); err == nil {
			err = p.sendPeer(ctx, to, share)
		}
	case request.GetPeerDataOperationRequestType() == waE2E.PeerDataOperationRequestType_PLACEHOLDER_MESSAGE_RESEND:
		err = p.resend(ctx, to, e.Info.ID, request)
	case request.GetPeerDataOperationRequestType() == waE2E.PeerDataOperationRequestType_HISTORY_SYNC_ON_DEMAND:
		err = p.sendHistoryOnDemand(ctx, to, e.Info.ID, request.GetHistorySyncOnDemandRequest())
	default:
		p.log.Info("linked device asked for something that this phone does not have", "request", request.GetPeerDataOperationRequestType().String())
	}
	if err != nil && ctx.Err() == nil {
		p.log.Warn("phone could not answer its linked device", "error", err)
	}
}

// resend answers a device that could not open some messages with the phone's own copies.
func (p *Phone) resend(ctx context.Context, to types.JID, id types.MessageID, request *waE2E.PeerDataOperationRequestMessage) error {
	response := &waE2E.PeerDataOperationRequestResponseMessage{
		PeerDataOperationRequestType: request.GetPeerDataOperationRequestType().Enum(),
		StanzaID:                     proto.String(id),
	}
	for _, wanted := range request.GetPlaceholderMessageResendRequest() {
		chat, err := types.ParseJID(wanted.GetMessageKey().GetRemoteJID())
		if err != nil {
			continue
		}
		key := p.person(ctx, chat)
		if chat.Server == types.GroupServer {
			key = chat.String()
		}
		r, err := p.fleet.book.get(ctx, p.number, key, wanted.GetMessageKey().GetID())
		if err != nil {
			return err
		}
		if r == nil {
			continue
		}
		info, err := p.webMessage(r)
		if err != nil {
			return err
		}
		raw, err := proto.Marshal(info)
		if err != nil {
			return fmt.Errorf("write down a message: %w", err)
		}
		response.PeerDataOperationResult = append(response.PeerDataOperationResult, &waE2E.PeerDataOperationRequestResponseMessage_PeerDataOperationResult{
			PlaceholderMessageResendResponse: &waE2E.PeerDataOperationRequestResponseMessage_PeerDataOperationResult_PlaceholderMessageResendResponse{
				WebMessageInfoBytes: raw,
			},
		})
	}
	return p.sendPeer(ctx, to, &waE2E.ProtocolMessage{
		Type:                                    waE2E.ProtocolMessage_PEER_DATA_OPERATION_REQUEST_RESPONSE_MESSAGE.Enum(),
		PeerDataOperationRequestResponseMessage: response,
	})
}

// appStateKey returns the id of the key that the app state is encrypted with, and makes one
// the first time.
func (p *Phone) appStateKey(ctx context.Context) ([]byte, error) {
	keys := p.client.Store.AppStateKeys
	id, err := keys.GetLatestAppStateSyncKeyID(ctx)
	if err != nil || id != nil {
		return id, err
	}
	p.mu.Lock()
	rawID := p.record.RawID
	p.mu.Unlock()
	fingerprint, err := proto.Marshal(&waE2E.AppStateSyncKeyFingerprint{
		RawID: proto.Uint32(rawID), CurrentIndex: proto.Uint32(0), DeviceIndexes: []uint32{0},
	})
	if err != nil {
		return nil, err
	}
	now := time.Now()
	id = binary.BigEndian.AppendUint32([]byte{0, 0}, uint32(now.Unix())) // device 0, epoch
	return id, keys.PutAppStateSyncKey(ctx, id, store.AppStateSyncKey{
		Data: randomBytes(32), Fingerprint: fingerprint, Timestamp: now.UnixMilli(),
	})
}

// keyShare is the message that hands the app state's key over.
func (p *Phone) keyShare(ctx context.Context) (*waE2E.ProtocolMessage, error) {
	id, err := p.appStateKey(ctx)
	if err != nil {
		return nil, fmt.Errorf("make the key of the app state: %w", err)
	}
	key, err := p.client.Store.AppStateKeys.GetAppStateSyncKey(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("read the key of the app state: %w", err)
	}
	fingerprint := &waE2E.AppStateSyncKeyFingerprint{}
	if err := proto.Unmarshal(key.Fingerprint, fingerprint); err != nil {
		return nil, fmt.Errorf("read the key of the app state: %w", err)
	}
	return &waE2E.ProtocolMessage{
		Type: waE2E.ProtocolMessage_APP_STATE_SYNC_KEY_SHARE.Enum(),
		AppStateSyncKeyShare: &waE2E.AppStateSyncKeyShare{Keys: []*waE2E.AppStateSyncKey{{
			KeyID: &waE2E.AppStateSyncKeyId{KeyID: id},
			KeyData: &waE2E.AppStateSyncKeyData{
				KeyData: key.Data, Fingerprint: fingerprint, Timestamp: proto.Int64(key.Timestamp),
			},
		}}},
	}, nil
}
