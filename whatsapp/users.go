package whatsapp

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/appstate"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"switchboard/fault"
)

// What WhatsApp takes, in characters.
const (
	maxPushName = 25
	maxAbout    = 139
)

// maxLookup is how many people one question may be about.
const maxLookup = 500

// UserInfo is what WhatsApp tells of somebody.
type UserInfo struct {
	JID          string       `json:"jid"`
	LID          string       `json:"lid"`
	Name         string       `json:"name"`
	VerifiedName string       `json:"verified_name"`
	Status       string       `json:"status"` // the text about themselves
	PictureID    string       `json:"picture_id"`
	Devices      []UserDevice `json:"devices"`
}

// UserDevice is one device of somebody. What kind of device a linked one is, WhatsApp does
// not tell.
type UserDevice struct {
	User   string
	Agent  uint8
	Device string
	Server string
	AD     bool
}

// UserInfo asks WhatsApp about somebody.
func (s *Session) UserInfo(ctx context.Context, phone string) (out UserInfo, err error) {
	jid, err := person("phone", phone)
	if err != nil {
		return out, err
	}
	err = s.with(ctx, func(ctx context.Context, a *account) error {
		if jid, err = a.member(ctx, "phone", a.numbered(ctx, jid)); err != nil {
			return err
		}
		found, err := a.client.GetUserInfo(ctx, []types.JID{jid})
		if err != nil {
			return err
		}
		info, ok := found[jid]
		if !ok || len(info.Devices) == 0 && info.LID.IsEmpty() {
			return notOnWhatsApp("phone", phone)
		}
		out.JID, out.LID = a.forms(ctx, jid, info.LID)
		out.Name, out.Status, out.PictureID = a.nameOf(ctx, jid, info.LID), info.Status, info.PictureID
		// whatsmeow reads the verified name, and keeps it with the contact alone.
		if c, err := a.device.Contacts.GetContact(ctx, jid); err == nil {
			out.VerifiedName = c.BusinessName
		}
		out.Devices = make([]UserDevice, len(info.Devices))
		for i, d := range info.Devices {
			out.Devices[i] = UserDevice{User: d.User, Agent: d.RawAgent, Device: "UNKNOWN", Server: d.Server, AD: d.Device > 0}
			if d.Device == 0 {
				out.Devices[i].Device = "PHONE"
			}
		}
		return nil
	})
	return out, err
}

// numbered returns the phone-number form of an address where it is known.
func (a *account) numbered(ctx context.Context, jid types.JID) types.JID {
	if jid.Server == types.HiddenUserServer {
		if pn, err := a.device.LIDs.GetPNForLID(ctx, jid); err == nil && !pn.IsEmpty() {
			return pn.ToNonAD()
		}
	}
	return jid
}

// Picture is a profile picture. URL is on WhatsApp's servers and can be fetched for a while.
type Picture struct {
	URL  string `json:"url"`
	ID   string `json:"id"`
	Type string `json:"type"`
}

// Picture returns the picture of a person, a group or, with community, a community.
func (s *Session) Picture(ctx context.Context, who string, preview, community bool) (out Picture, err error) {
	jid, err := address("phone", who)
	if err != nil {
		return out, err
	}
	err = s.with(ctx, func(ctx context.Context, a *account) error {
		if jid, err = a.member(ctx, "phone", jid); err != nil {
			return err
		}
		p, err := a.client.GetProfilePictureInfo(ctx, jid,
			&whatsmeow.GetProfilePictureParams{Preview: preview, IsCommunity: community})
		if err != nil {
			return err
		}
		if p == nil {
			return whatsmeow.ErrProfilePictureNotSet
		}
		out = Picture{URL: p.URL, ID: p.ID, Type: p.Type}
		return nil
	})
	return out, err
}

// SetPicture makes a JPEG file this number's own picture, or with nil takes it away.
func (s *Session) SetPicture(ctx context.Context, jpeg []byte) error {
	return s.with(ctx, func(ctx context.Context, a *account) error {
		_, err := a.client.SetGroupPhoto(ctx, types.EmptyJID, jpeg) // without a target it is one's own
		return err
	})
}

// SetPushName sets what this number calls itself.
func (s *Session) SetPushName(ctx context.Context, name string) error {
	name = strings.TrimSpace(name)
	switch {
	case name == "":
		return fault.InField("push_name", "push_name: cannot be blank.")
	case !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxPushName:
		return fault.InField("push_name", "A name has at most 25 characters.")
	}
	return s.with(ctx, func(ctx context.Context, a *account) error {
		if err := a.share(ctx, appstate.BuildSettingPushName(name)); err != nil {
			return err
		}
		// The phone knows it from the app state, everybody else from the server.
		tell := a.client.DangerousInternals() //nolint:staticcheck // SendPresence would also say whether the number is there
		return tell.SendNode(ctx, waBinary.Node{Tag: "presence", Attrs: waBinary.Attrs{"name": name}})
	})
}

// SetAbout sets the text that this number shows about itself; "" takes it away.
func (s *Session) SetAbout(ctx context.Context, about string) error {
	if !utf8.ValidString(about) || utf8.RuneCountInString(about) > maxAbout {
		return fault.InField("about", "The text has at most 139 characters.")
	}
	return s.with(ctx, func(ctx context.Context, a *account) error {
		return a.client.SetStatusMessage(ctx, types.SetStatusInput{Text: &about})
	})
}

// Privacy is who may do and see what, in WhatsApp's own words.
type Privacy struct {
	GroupAdd     string `json:"group_add"`
	LastSeen     string `json:"last_seen"`
	Status       string `json:"status"`
	Profile      string `json:"profile"`
	ReadReceipts string `json:"read_receipts"`
	CallAdd      string `json:"call_add"`
	Online       string `json:"online"`
}

// Privacy returns the privacy settings.
func (s *Session) Privacy(ctx context.Context) (out Privacy, err error) {
	err = s.with(ctx, func(ctx context.Context, a *account) error {
		p, err := a.client.TryFetchPrivacySettings(ctx, true)
		if err != nil {
			return err
		}
		out = Privacy{
			GroupAdd: string(p.GroupAdd), LastSeen: string(p.LastSeen), Status: string(p.Status), Profile: string(p.Profile),
			ReadReceipts: string(p.ReadReceipts), CallAdd: string(p.CallAdd), Online: string(p.Online),
		}
		return nil
	})
	return out, err
}

// Known is an entry of the phone's address book, or somebody who has written.
type Known struct {
	JID  string `json:"jid"`
	LID  string `json:"lid,omitempty"`
	Name string `json:"name"`
}

// Contacts lists whom this number knows by name, in the order of their names.
func (s *Session) Contacts(ctx context.Context) ([]Known, error) {
	a := s.current()
	if !a.linked() {
		return nil, fault.New(fault.Unavailable, "This number is not linked to a phone. Pair it first.")
	}
	known, err := a.device.Contacts.GetAllContacts(ctx)
	if err != nil {
		return nil, err
	}
	byJID := map[string]Known{}
	for jid, c := range known {
		if jid.Server != types.DefaultUserServer && jid.Server != types.HiddenUserServer {
			continue
		}
		pn, lid := a.forms(ctx, jid, types.EmptyJID)
		name := cmp.Or(c.FullName, c.FirstName, c.BusinessName, c.PushName)
		// The same person may be there in both forms; the address book knows them by number.
		if had, twice := byJID[pn]; name != "" && (!twice || jid.Server == types.DefaultUserServer || had.Name == "") {
			byJID[pn] = Known{JID: pn, LID: lid, Name: name}
		}
	}
	out := make([]Known, 0, len(byJID))
	for _, c := range byJID {
		out = append(out, c)
	}
	slices.SortFunc(out, func(x, y Known) int { return cmp.Or(strings.Compare(x.Name, y.Name), strings.Compare(x.JID, y.JID)) })
	return out, nil
}

// Lookup is the answer about one phone number or address.
type Lookup struct {
	Query      string `json:"query"`
	OnWhatsApp bool   `json:"on_whatsapp"`
	JID        string `json:"jid"`
	Phone      string `json:"phone"`
	LID        string `json:"lid"`
	Name       string `json:"name"`
}

// LookUp says of each phone number or address whether it has an account and which, in one
// question. Of hidden addresses it tells what is known here.
func (s *Session) LookUp(ctx context.Context, queries []string) (out []Lookup, err error) {
	if len(queries) == 0 || len(queries) > maxLookup {
		return nil, fault.InField("phones", "Give between one and 500 phone numbers.")
	}
	all, err := people("phones", queries)
	if err != nil {
		return nil, err
	}
	out = make([]Lookup, len(all))
	err = s.with(ctx, func(ctx context.Context, a *account) error {
		var ask []string
		for i, jid := range all {
			all[i] = a.numbered(ctx, jid)
			if all[i].Server == types.DefaultUserServer && !slices.Contains(ask, "+"+all[i].User) {
				ask = append(ask, "+"+all[i].User)
			}
		}
		found := map[string]types.IsOnWhatsAppResponse{}
		if len(ask) > 0 {
			answers, err := a.client.IsOnWhatsApp(ctx, ask)
			if err != nil {
				return err
			}
			for _, f := range answers {
				found[f.Query] = f
			}
		}
		for i, jid := range all {
			l := Lookup{Query: queries[i], OnWhatsApp: jid.Server == types.HiddenUserServer}
			if f, ok := found["+"+jid.User]; ok && jid.Server == types.DefaultUserServer {
				l.OnWhatsApp = f.IsIn
				jid = numbered(f, jid)
			}
			if l.OnWhatsApp {
				l.JID, l.LID = a.forms(ctx, jid, types.EmptyJID)
				l.Phone, l.Name = number(l.JID), a.nameOf(ctx, jid)
			}
			out[i] = l
		}
		return nil
	})
	return out, err
}

// OnWhatsApp says whether a phone number has an account.
func (s *Session) OnWhatsApp(ctx context.Context, phone string) (bool, error) {
	if _, err := person("phone", phone); err != nil {
		return false, err
	}
	found, err := s.LookUp(ctx, []string{phone})
	return err == nil && found[0].OnWhatsApp, err
}

// BusinessProfile is what a business tells of itself.
type BusinessProfile struct {
	JID                   string            `json:"jid"`
	Email                 string            `json:"email"`
	Address               string            `json:"address"`
	Categories            []Category        `json:"categories"`
	ProfileOptions        map[string]string `json:"profile_options"`
	BusinessHoursTimeZone string            `json:"business_hours_timezone"`
	BusinessHours         []BusinessHours   `json:"business_hours"`
}

// Category is a line of business.
type Category struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// BusinessHours is when a business is open on one day of the week.
type BusinessHours struct {
	DayOfWeek string `json:"day_of_week"`
	Mode      string `json:"mode"`
	OpenTime  string `json:"open_time"`
	CloseTime string `json:"close_time"`
}

// BusinessProfile returns the profile of a business account.
func (s *Session) BusinessProfile(ctx context.Context, phone string) (out BusinessProfile, err error) {
	jid, err := person("phone", phone)
	if err != nil {
		return out, err
	}
	err = s.with(ctx, func(ctx context.Context, a *account) error {
		if jid, err = a.member(ctx, "phone", a.numbered(ctx, jid)); err != nil {
			return err
		}
		p, err := a.client.GetBusinessProfile(ctx, jid)
		if err != nil && strings.HasPrefix(err.Error(), "missing jid") { // whatsmeow has no name for it
			return fault.Wrap(fault.NotFound, "This is no business account, so it has no business profile.", err)
		}
		if err != nil {
			return err
		}
		out = BusinessProfile{
			JID: p.JID.String(), Email: p.Email, Address: p.Address, Categories: make([]Category, len(p.Categories)),
			ProfileOptions: p.ProfileOptions, BusinessHoursTimeZone: p.BusinessHoursTimeZone,
			BusinessHours: make([]BusinessHours, len(p.BusinessHours)),
		}
		for i, c := range p.Categories {
			out.Categories[i] = Category(c)
		}
		for i, h := range p.BusinessHours {
			out.BusinessHours[i] = BusinessHours(h)
		}
		return nil
	})
	return out, err
}

// Blocked is somebody who cannot reach this number.
type Blocked struct {
	JID  string `json:"jid"`
	LID  string `json:"lid"`
	Name string `json:"name"`
}

// Blocked lists whom this number has blocked.
func (s *Session) Blocked(ctx context.Context) (out []Blocked, err error) {
	err = s.with(ctx, func(ctx context.Context, a *account) error {
		list, err := a.client.GetBlocklist(ctx)
		if err != nil {
			return err
		}
		out = make([]Blocked, len(list.JIDs))
		for i, jid := range list.JIDs {
			out[i].JID, out[i].LID = a.forms(ctx, jid, types.EmptyJID)
			out[i].Name = a.nameOf(ctx, jid, a.numbered(ctx, jid))
		}
		return nil
	})
	return out, err
}

// SetBlocked blocks somebody, or ends that.
func (s *Session) SetBlocked(ctx context.Context, phone string, blocked bool) error {
	jid, err := person("phone", phone)
	if err != nil {
		return err
	}
	change := events.BlocklistChangeActionUnblock
	if blocked {
		change = events.BlocklistChangeActionBlock
	}
	return s.with(ctx, func(ctx context.Context, a *account) error {
		if jid, err = a.member(ctx, "phone", jid); err != nil {
			return err
		}
		_, err := a.client.UpdateBlocklist(ctx, jid, change)
		return err
	})
}

// Address is both forms of a person's address, as far as they are known.
type Address struct {
	JID   string `json:"jid"`   // the phone number's, where that is known
	Phone string `json:"phone"` // digits
	LID   string `json:"lid"`   // the hidden form
	Name  string `json:"name"`
}

// Resolve returns both forms of an address. What is not known here WhatsApp is asked, if the
// number is connected: of a phone number it tells the hidden form, but never the other way.
func (s *Session) Resolve(ctx context.Context, text string) (out Address, err error) {
	jid, err := person("phone", text)
	if err != nil {
		return out, err
	}
	a := s.current()
	if !a.linked() {
		return out, fault.New(fault.Unavailable, "This number is not linked to a phone. Pair it first.")
	}
	if out.JID, out.LID = a.forms(ctx, jid, types.EmptyJID); out.LID == "" {
		found, err := s.LookUp(ctx, []string{text})
		if err != nil {
			return out, err
		}
		if !found[0].OnWhatsApp {
			return out, notOnWhatsApp("phone", text)
		}
		out.JID, out.LID = found[0].JID, found[0].LID
	}
	out.Phone, out.Name = number(out.JID), a.nameOf(ctx, a.numbered(ctx, jid), jid)
	return out, nil
}
