package simulator

import (
	"encoding/base64"
	"errors"
	"os"
	"slices"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// MediaRequest is a linked device that asks its phone for a file which the servers of media
// have no more. What it asks is sealed with the file's own key.
type MediaRequest struct {
	Message     types.MessageID
	Chat        types.JID
	FromMe      bool
	Participant types.JID // who sent it in a group
	Sealed, IV  []byte

	device uint16
	rmr    waBinary.Node
}

// mostMediaRequests is how many wait for one phone; the oldest is given up then.
const mostMediaRequests = 256

// keepMediaRequest keeps what a receipt of that kind asks, since the client that plays the
// phone tells of the receipt alone.
func (n *Network) keepMediaRequest(d *device, receipt *waBinary.Node) {
	rmr, ok := child(receipt, "rmr")
	sealed, _ := receipt.GetChildByTag("encrypt", "enc_p").Content.([]byte)
	iv, _ := receipt.GetChildByTag("encrypt", "enc_iv").Content.([]byte)
	if !ok || sealed == nil || iv == nil {
		return
	}
	r := MediaRequest{
		Message: attr(receipt, "id"), Chat: attrJID(&rmr, "jid"), FromMe: attr(&rmr, "from_me") == "true", Participant: attrJID(&rmr, "participant"),
		Sealed: sealed, IV: iv, device: d.ID, rmr: rmr,
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	waiting := append(d.account.mediaRequests, r)
	d.account.mediaRequests = slices.Clone(waiting[max(0, len(waiting)-mostMediaRequests):])
}

// MediaRequests takes what the linked devices of an account have asked for by a message.
func (n *Network) MediaRequests(number string, id types.MessageID) []MediaRequest {
	n.mu.Lock()
	defer n.mu.Unlock()
	a := n.accounts[number]
	if a == nil {
		return nil
	}
	var taken, left []MediaRequest
	for _, r := range a.mediaRequests {
		if r.Message == id {
			taken = append(taken, r)
		} else {
			left = append(left, r)
		}
	}
	a.mediaRequests = left
	return taken
}

// AnswerMediaRequest passes a phone's answer to the device that asked; without anything
// sealed it says that the phone does not have the file.
func (n *Network) AnswerMediaRequest(number string, r MediaRequest, sealed, iv []byte) error {
	n.mu.RLock()
	a := n.accounts[number]
	var d *device
	if a != nil {
		d = a.device(r.device)
	}
	n.mu.RUnlock()
	if d == nil {
		return ErrUnknownAccount
	}
	content := node("error", waBinary.Attrs{"code": 2})
	if sealed != nil {
		content = node("encrypt", nil, data("enc_p", nil, sealed), data("enc_iv", nil, iv))
	}
	n.notify(d, "mediaretry", types.NewJID(number, types.DefaultUserServer), waBinary.Attrs{"id": r.Message}, content, r.rmr)
	return nil
}

// ExpireMedia has the servers of media forget an encrypted file, as they do after some weeks.
func (n *Network) ExpireMedia(encSHA256 []byte) error {
	err := os.Remove(n.state.media(base64.URLEncoding.EncodeToString(encSHA256)))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
