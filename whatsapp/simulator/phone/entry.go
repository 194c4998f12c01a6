package phone

import "time"

// Kind is what sort of message an entry is.
type Kind string

// The kinds. Other is a message that the phone keeps but does not know how to show.
const (
	Text     Kind = "text"
	Image    Kind = "image"
	Video    Kind = "video"
	Audio    Kind = "audio"
	Document Kind = "document"
	Sticker  Kind = "sticker"
	Location Kind = "location"
	Contact  Kind = "contact"
	Poll     Kind = "poll"
	Other    Kind = "other"
)

// Status is how far a message of the phone's own account has come.
type Status string

// The statuses, in order. Received is the one of other people's messages. In a group,
// Delivered and Read mean: to one member at least.
const (
	Received  Status = ""
	Failed    Status = "failed"
	Pending   Status = "pending"
	Sent      Status = "sent"
	Delivered Status = "delivered"
	Read      Status = "read"
)

var statusRank = map[Status]int{Failed: 1, Pending: 2, Sent: 3, Delivered: 4, Read: 5}

// Media is the file of an entry. Its bytes stay on the network until Phone.Download.
type Media struct {
	MIME string `json:"mime"`
	Name string `json:"name,omitempty"`
	Size uint64 `json:"size"`
}

// Entry is one message as a phone shows it.
type Entry struct {
	Seq       int64               `json:"seq"`  // rises with every change of any entry of the phone
	Chat      string              `json:"chat"` // number of the other side, or id of the group
	ID        string              `json:"id"`
	From      string              `json:"from"` // number
	FromMe    bool                `json:"from_me"`
	Device    uint16              `json:"device"` // of the sender; 0 is a phone
	Kind      Kind                `json:"kind"`
	Text      string              `json:"text"` // or the caption
	Time      time.Time           `json:"time"`
	Status    Status              `json:"status,omitempty"`
	Unread    bool                `json:"unread,omitempty"`
	Edited    bool                `json:"edited,omitempty"`
	Revoked   bool                `json:"revoked,omitempty"`
	Reactions map[string]string   `json:"reactions,omitempty"` // by number
	Votes     map[string][]string `json:"votes,omitempty"`     // of a poll, by number
	ReplyTo   string              `json:"reply_to,omitempty"`  // id
	Media     *Media              `json:"media,omitempty"`
	Starred   bool                `json:"starred,omitempty"`
	Deleted   bool                `json:"deleted,omitempty"` // on this account alone
	Detail    *Detail             `json:"detail,omitempty"`
}

// rise moves the status forward, never back, and reports whether it did.
func (e *Entry) rise(s Status) bool {
	if statusRank[s] <= statusRank[e.Status] {
		return false
	}
	e.Status = s
	return true
}

// Chat is one conversation, in the list that a phone opens with.
type Chat struct {
	Chat   string `json:"chat"`
	Name   string `json:"name"`
	Group  bool   `json:"group"`
	Unread int    `json:"unread"`
	Last   Entry  `json:"last"`
}
