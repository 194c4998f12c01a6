package simulator

import (
	"encoding/json"
	"fmt"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waVnameCert"
	"google.golang.org/protobuf/proto"
)

// Business is what a business account tells of itself.
type Business struct {
	Name       string          `json:"name"` // verified
	Email      string          `json:"email,omitempty"`
	Address    string          `json:"address,omitempty"`
	Categories []string        `json:"categories,omitempty"`
	TimeZone   string          `json:"time_zone,omitempty"`
	Hours      []BusinessHours `json:"hours,omitempty"`
}

// BusinessHours is when a business is open on one day. Times are minutes of the day.
type BusinessHours struct {
	Day   string `json:"day"` // mon, tue …
	Open  string `json:"open"`
	Close string `json:"close"`
}

// handleBusiness answers about the profile of a business.
func (c *connection) handleBusiness(iq *waBinary.Node, first waBinary.Node) {
	n := c.n
	wanted, _ := child(&first, "profile")
	if first.Tag != "business_profile" {
		c.unknown(iq)
		return
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	a := n.find(attrJID(&wanted, "jid"))
	if a == nil || a.Business == nil {
		c.result(iq, node("business_profile", waBinary.Attrs{"v": "244"}))
		return
	}
	b := a.Business
	categories := make([]waBinary.Node, len(b.Categories))
	for i, name := range b.Categories {
		categories[i] = data("category", waBinary.Attrs{"id": fmt.Sprint(100 + i)}, []byte(name))
	}
	hours := make([]waBinary.Node, len(b.Hours))
	for i, h := range b.Hours {
		hours[i] = node("business_hours_config", waBinary.Attrs{"day_of_week": h.Day, "mode": "specific_hours", "open_time": h.Open, "close_time": h.Close})
	}
	c.result(iq, node("business_profile", waBinary.Attrs{"v": "244"}, node("profile", waBinary.Attrs{"jid": attrJID(&wanted, "jid")},
		data("address", nil, []byte(b.Address)), data("email", nil, []byte(b.Email)),
		node("categories", nil, categories...),
		node("business_hours", waBinary.Attrs{"timezone": b.TimeZone}, hours...),
		node("profile_options", nil, data("commerce_experience", nil, []byte("none"))),
	)))
}

// verified is the certificate of a business's name. No client can tell who signed it.
func (b *Business) verified() waBinary.Node {
	details, err := proto.Marshal(&waVnameCert.VerifiedNameCertificate_Details{
		Serial: proto.Uint64(1), Issuer: proto.String("smb:wa"), VerifiedName: proto.String(b.Name),
	})
	if err != nil {
		panic(err) // plain data only
	}
	raw, err := proto.Marshal(&waVnameCert.VerifiedNameCertificate{Details: details, Signature: []byte{0}})
	if err != nil {
		panic(err)
	}
	return node("business", nil, data("verified_name", waBinary.Attrs{
		"verified_level": "unknown", "v": "1", "host_storage": "1", "actual_actors": "1", "privacy_mode_ts": unixNow(),
	}, raw))
}

// SetBusiness makes an account a business, or with nil a private one again.
func (n *Network) SetBusiness(number string, b *Business) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	a := n.accounts[number]
	if a == nil {
		return fmt.Errorf("nobody has the number %s", number)
	}
	a.Business = b
	n.saveAccount(a)
	return nil
}

// SetPrivacy changes privacy settings of an account, by the names that WhatsApp has for them.
func (n *Network) SetPrivacy(number string, settings map[string]string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	a := n.accounts[number]
	if a == nil {
		return fmt.Errorf("nobody has the number %s", number)
	}
	for name, value := range settings {
		if !knownPrivacy(name) {
			return fmt.Errorf("there is no privacy setting %q", name)
		}
		if a.Privacy == nil {
			a.Privacy = map[string]string{}
		}
		a.Privacy[name] = value
	}
	n.saveAccount(a)
	return nil
}

// Profile is what the network's servers know of an account's owner.
type Profile struct {
	Name     string            `json:"name"`
	About    string            `json:"about"`
	Picture  string            `json:"picture"` // id
	Privacy  map[string]string `json:"privacy"`
	Blocked  []string          `json:"blocked"` // numbers
	Business *Business         `json:"business"`
}

// Profile returns an account's profile; zero for nobody's number.
func (n *Network) Profile(number string) (p Profile) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	a := n.accounts[number]
	if a == nil {
		return p
	}
	raw := document(Profile{Name: a.Name, About: a.About, Picture: a.Picture, Privacy: a.Privacy, Blocked: a.Blocked, Business: a.Business})
	_ = json.Unmarshal(raw, &p) // a copy of what was just encoded
	return p
}
