package phone

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waSyncAction"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// maxContacts is how many other phones are in a phone's address book.
const maxContacts = 50

// seedAppState writes the first patch of each collection, once per account: the name, the
// address book and the settings. A collection without one would make a linked device take
// the owner's first change for its initial state, and tell nobody.
func (p *Phone) seedAppState(ctx context.Context) error {
	p.mu.Lock()
	seeded := p.record.Seeded
	p.mu.Unlock()
	if seeded {
		return nil
	}
	if _, err := p.appStateKey(ctx); err != nil {
		return fmt.Errorf("make the key of the app state: %w", err)
	}
	self := p.client.Store.GetJID().ToNonAD()
	patches := []appstate.PatchInfo{
		appstate.BuildSettingPushName(p.Name()),
		{Type: appstate.WAPatchCriticalUnblockLow, Mutations: p.contacts(self)},
		appstate.BuildMute(self, false, 0),
		{Type: appstate.WAPatchRegular, Mutations: []appstate.MutationInfo{{
			Index: []string{appstate.IndexUserStatusMute, self.String()}, Version: 7,
			Value: &waSyncAction.SyncActionValue{UserStatusMuteAction: &waSyncAction.UserStatusMuteAction{Muted: proto.Bool(false)}},
		}}},
		{Type: appstate.WAPatchRegularLow, Mutations: []appstate.MutationInfo{{
			Index: []string{appstate.IndexSettingUnarchiveChats}, Version: 4,
			Value: &waSyncAction.SyncActionValue{UnarchiveChatsSetting: &waSyncAction.UnarchiveChatsSetting{UnarchiveChats: proto.Bool(true)}},
		}}},
	}
	for _, patch := range patches {
		version, _, err := p.client.Store.AppState.GetAppStateVersion(ctx, string(patch.Type))
		if err != nil {
			return fmt.Errorf("read the app state: %w", err)
		}
		if version > 0 { // an earlier attempt came this far
			continue
		}
		if err := p.client.SendAppState(ctx, patch); err != nil {
			return fmt.Errorf("write the app state %s: %w", patch.Type, err)
		}
	}
	return p.remember(ctx, func(r *record) { r.Seeded = true })
}

// contacts is the address book: the owner, and other phones of the fleet.
func (p *Phone) contacts(self types.JID) []appstate.MutationInfo {
	all := []appstate.MutationInfo{contact(self, p.Name())}
	for _, other := range p.fleet.Phones() {
		if other != p && len(all) <= maxContacts {
			all = append(all, contact(types.NewJID(other.number, types.DefaultUserServer), other.Name()))
		}
	}
	return all
}

func contact(jid types.JID, name string) appstate.MutationInfo {
	first, _, _ := strings.Cut(name, " ")
	return appstate.MutationInfo{
		Index: []string{appstate.IndexContact, jid.String()}, Version: 2,
		Value: &waSyncAction.SyncActionValue{ContactAction: &waSyncAction.ContactAction{
			FullName: proto.String(name), FirstName: proto.String(first), SaveOnPrimaryAddressbook: proto.Bool(true),
		}},
	}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}
