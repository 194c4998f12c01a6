package views

import (
	"fmt"
	"strings"

	"switchboard/instances"
	"switchboard/messages"
)

// Number is the page of one number.
type Number struct {
	Instance instances.Instance
	Status   Live
	Pairing  Live // set on StagePair, StageRanOut and StagePasskey
	Messages Live // set on StageTalk and StageRead
	Usage    Live

	Send    Form
	Phone   Form // pairing by phone number
	Passkey Form
	Rename  Form
	Backup  Form
	Delete  Form

	Stuck    []Stuck  // webhooks that take nothing
	Bucket   string   // for pictures and files, "" for none
	Waiting  Waiting  // for the bucket
	Media    Waiting  // in the number's folder, as far as administrators see it
	Places   []string // buckets where files of this number lie
	KeepDays int      // for which the number can be brought back after it was deleted, 0: not at all
}

// Stage is the part of the number's page that depends on how far the number is. It is
// swapped only when the stage changes, so that a half-typed message outlives a short loss
// of the connection.
type Stage string

// The stages.
const (
	StageSetup   Stage = "setup"   // on the way to its first code
	StagePair    Stage = "pair"    // codes to scan or to type
	StageRanOut  Stage = "ran-out" // the codes of a round have come to an end
	StagePasskey Stage = "passkey"
	StageTalk    Stage = "talk" // messages come, and the form to send one
	StageRead    Stage = "read" // messages of earlier
	StageGone    Stage = "gone" // being deleted
)

// StageOf returns the stage of an instance.
func StageOf(inst instances.Instance) Stage {
	switch inst.Status {
	case instances.PairingPhone:
		if inst.Reason == instances.QRExpired || inst.Reason == instances.PairingRejected {
			return StageRanOut
		}
		return StagePair
	case instances.PasskeyRequired:
		return StagePasskey
	case instances.Deleting:
		return StageGone
	case instances.Connected, instances.Reconnecting, instances.Restricted:
		return StageTalk // the form stays while the number reconnects; sending says if it fails
	}
	if inst.JID != "" {
		return StageRead
	}
	return StageSetup
}

// Pace is how often the status is asked for: eagerly while something takes moments, calmly
// while a person is waited for, slowly while all is well, and not at all once only a person
// can change it.
func Pace(s instances.Status) string {
	switch s {
	case instances.Provisioning, instances.Starting, instances.Stopping, instances.Deleting:
		return "300ms"
	case instances.PairingPhone, instances.PasskeyRequired:
		return "1s"
	case instances.Connected:
		return "5s"
	}
	if s.Settled() {
		return ""
	}
	return "2s"
}

// MessagePace is how often messages are asked for: only while some may come, or are about to
// come again.
func MessagePace(inst instances.Instance) string {
	switch stage := StageOf(inst); {
	case stage == StageTalk, stage == StageRead && !inst.Status.Settled():
		return "3s"
	}
	return ""
}

func (n Number) path(rest string) string { return "/instances/" + string(n.Instance.ID) + rest }

func (n Number) explanation() instances.Explanation {
	return instances.Explain(n.Instance.Status, n.Instance.Reason)
}

// What a person may do with a number in its present state.
func canStart(i instances.Instance) bool {
	return i.Status == instances.Idle || i.Status == instances.Failed
}

func canStop(i instances.Instance) bool {
	switch i.Status {
	case instances.Idle, instances.Provisioning, instances.Stopping, instances.Deleting:
		return false
	}
	return true
}

func canRestart(i instances.Instance) bool {
	return canStop(i) && i.Status != instances.Failed
}

func canLogout(i instances.Instance) bool {
	switch i.Status {
	case instances.Connected, instances.Reconnecting, instances.Restricted, instances.Outdated, instances.Replaced:
		return true
	}
	return false
}

// staysLinked reports whether the phone would go on listing Switchboard as a linked device
// if the number were deleted now.
func staysLinked(i instances.Instance) bool {
	switch i.Status {
	case instances.Connected, instances.LoggedOut, instances.PairingPhone, instances.PasskeyRequired, instances.Deleting:
		return false
	}
	return i.JID != ""
}

func direction(m messages.Message) string {
	if m.FromMe {
		return "out"
	}
	return "in"
}

// kindWord is how content that is not text is called.
func kindWord(k messages.Kind) string {
	switch k {
	case messages.Text, messages.Edited:
		return ""
	case messages.Image:
		return "Photo"
	case messages.Audio:
		return "Voice message or audio"
	case messages.Revoked:
		return "This message was deleted"
	case messages.Called:
		return "Call"
	case messages.Undecryptable:
		return "This message could not be decrypted; it has been asked for again"
	case messages.Other:
		return "A kind of message that is not shown here yet"
	}
	word := string(k)
	return string(word[0]-'a'+'A') + word[1:]
}

// whatItIs says what a message is where its text does not, with what is known of a file.
func whatItIs(m messages.Message) string {
	if !m.RevokedAt.IsZero() {
		return kindWord(messages.Revoked)
	}
	word := kindWord(m.Kind)
	if m.Kind == messages.Called {
		word = callWord(m.Call)
	}
	d := m.Media
	if d == nil {
		return word
	}
	switch d.Type {
	case messages.VoiceNote:
		word = "Voice message"
	case messages.AudioFile:
		word = "Audio"
	}
	if d.Name != "" && d.Name != m.Text {
		word += " · " + d.Name
	}
	if d.Seconds > 0 {
		word += fmt.Sprintf(" · %d:%02d", d.Seconds/60, d.Seconds%60)
	}
	if d.Size > 0 {
		word += " · " + size(d.Size)
	}
	if d.State == messages.Gone {
		word += " · no longer with WhatsApp"
	}
	return word
}

// callWord says what became of a call.
func callWord(c *messages.Call) string {
	word := "Call"
	if c == nil {
		return word
	}
	if c.Video {
		word = "Video call"
	}
	switch c.Outcome {
	case messages.Missed:
		return word + ", missed"
	case messages.Rejected:
		return word + ", rejected"
	case messages.Declined:
		return word + ", declined as set here"
	case messages.Accepted:
		return word + ", taken on another device"
	}
	return word
}

// reactedBy is whose reaction it is.
func reactedBy(r messages.Reacted) string {
	switch {
	case r.FromMe:
		return "this number"
	case r.Name != "":
		return r.Name
	}
	return who(r.Person)
}

// tickWord is what the ticks of a message mean.
func tickWord(d messages.Delivery) string {
	switch d {
	case messages.Queued:
		return "Waiting to be sent"
	case messages.SentOut:
		return "Sent"
	case messages.Delivered:
		return "Delivered"
	case messages.Read:
		return "Read"
	case messages.NotSent:
		return "Not sent"
	}
	return ""
}

// introduced reports whether the bubble at i, in a list that begins with the newest, has to
// say whose chat it is: where the chat changes, and in groups where the sender does.
func introduced(list []messages.Message, i int) bool {
	if i == len(list)-1 {
		return true
	}
	m, before := list[i], list[i+1]
	if m.Chat != before.Chat {
		return true
	}
	group := strings.HasSuffix(m.Chat, "@g.us")
	return group && !m.FromMe && (before.FromMe || m.Sender != before.Sender)
}

// stepClass makes the first step stand out, unless it only stops or leaves.
func stepClass(a, first instances.Action) string {
	if a != first || a.Do == instances.DoStop || a.Do == instances.Leave {
		return "btn"
	}
	return "btn btn-primary"
}

// stepsHere are the next steps that are buttons in the status card on the number's own page.
// Where the step is the card below, a button that leads there would seem to do nothing.
func stepsHere(s instances.Status, next []instances.Action) []instances.Action {
	if s != instances.Connected && next[0].Do == instances.Open {
		return next[1:]
	}
	return next
}

// anchor is where on its page the next step of a number is.
func anchor(s instances.Status) string {
	if s == instances.Connected {
		return "#send"
	}
	return "#stage"
}

// other is the other side of a message as a person would call it.
func other(m messages.Message) string {
	name := who(m.Chat)
	if m.ChatName != "" && !strings.HasSuffix(m.Chat, "@s.whatsapp.net") { // a person's number says more than a name
		name = m.ChatName
	}
	if m.FromMe {
		return "To " + name
	}
	for _, sender := range []string{m.Name, m.SenderName} {
		if sender != "" {
			return sender + " · " + name
		}
	}
	return name
}

// title is what the browser's tab says: the state first, so that it is seen among many.
func (n Number) title() string { return n.explanation().Label + " · " + n.Instance.Name }

// refresh is after how many seconds a browser without scripts loads the page again, "" for
// not at all: quickly while something takes moments, and when the code on show runs out.
func (n Number) refresh() string {
	switch Pace(n.Instance.Status) {
	case "300ms":
		return "1"
	case "1s":
		return "15"
	case "2s":
		return "5"
	}
	return ""
}

func engine(name string) string {
	switch name {
	case "sqlite":
		return "SQLite"
	case "postgres":
		return "PostgreSQL"
	}
	return name
}

// size is a number of bytes for a person.
func size(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d bytes", n)
	case n < 1000*1000:
		return fmt.Sprintf("%d kB", n/1000)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}
