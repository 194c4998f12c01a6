package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"switchboard/fault"
	"switchboard/instances"
)

// answerTimeout is how long WhatsApp may take to answer what a person waits for.
const answerTimeout = 40 * time.Second

// ErrNoRoom is wrapped by the fault about a disk that is full or takes no writes.
var ErrNoRoom = errors.New("no room on the disk")

// ErrTrouble is wrapped by the fault about a failure on WhatsApp's side.
var ErrTrouble = errors.New("whatsapp has trouble")

// ErrNotOnWhatsApp is wrapped by the fault about a phone number that has no account.
var ErrNotOnWhatsApp = fmt.Errorf("not on whatsapp: %w", ErrAddress)

// with runs do with the linked account while it is connected. What WhatsApp answers to it
// comes back as a fault; its time is bounded.
func (s *Session) with(ctx context.Context, do func(ctx context.Context, a *account) error) error {
	a := s.current()
	if !a.linked() {
		return fault.New(fault.Unavailable, "This number is not linked to a phone. Pair it first.")
	}
	if s.Report().Status != instances.Connected {
		return fault.New(fault.Unavailable, "This number is not connected to WhatsApp at the moment. Try again when it is connected.")
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return refusal(do(ctx, a))
}

// said holds what a refusal means, where whatsmeow has a name for it.
var said = []struct {
	err  error
	kind fault.Kind
	text string
}{
	{whatsmeow.ErrNotInGroup, fault.NotFound, "This number is not in that group."},
	{whatsmeow.ErrGroupNotFound, fault.NotFound, "There is no such group, or it was deleted."},
	{whatsmeow.ErrGroupInviteLinkUnauthorized, fault.Forbidden, "Only admins of the group may see and reset its invite link."},
	{whatsmeow.ErrInviteLinkInvalid, fault.Invalid, "This invite link leads to no group. Check that it was copied whole."},
	{whatsmeow.ErrInviteLinkRevoked, fault.Invalid, "This invite link was reset and no longer leads to the group. Ask its admins for the new one."},
	{whatsmeow.ErrProfilePictureUnauthorized, fault.Forbidden, "They do not show their picture to this number."},
	{whatsmeow.ErrProfilePictureNotSet, fault.NotFound, "There is no picture."},
	{whatsmeow.ErrInvalidImageFormat, fault.Invalid, "WhatsApp does not take this picture. Send a JPEG or PNG file."},
	{whatsmeow.ErrInvalidDisappearingTimer, fault.Invalid, "Messages can disappear after 86400, 604800 or 7776000 seconds, or with 0 never."},
}

// codes holds what WhatsApp's numbers mean; they are those of HTTP, more or less.
var codes = map[int]struct {
	kind fault.Kind
	text string
}{
	400: {fault.Invalid, "WhatsApp does not accept this request."},
	401: {fault.Forbidden, "WhatsApp does not allow this to this number."},
	403: {fault.Forbidden, "WhatsApp does not allow this to this number: only admins may, or somebody's privacy settings are against it."},
	404: {fault.NotFound, "WhatsApp does not know what this is about."},
	405: {fault.Forbidden, "WhatsApp no longer allows this."},
	406: {fault.Invalid, "WhatsApp does not accept this: it is too long, empty or not what is expected there."},
	409: {fault.Conflict, "This is so already."},
	410: {fault.NotFound, "This no longer exists."},
	419: {fault.Conflict, "WhatsApp allows no more of these."},
	423: {fault.Forbidden, "WhatsApp does not allow this to this number for a while."},
	429: {fault.Throttled, "WhatsApp asks to slow down. Try again in a few minutes."},
	501: {fault.Forbidden, "This network does not offer this."},
}

// refusal turns what whatsmeow returns into what a person understands. A fault stays as it is.
func refusal(err error) error {
	var (
		own    *fault.Error
		answer *whatsmeow.IQError
		gone   *whatsmeow.DisconnectedError
		graph  types.GraphQLErrors
	)
	if err == nil || errors.As(err, &own) {
		return err
	}
	for _, s := range said {
		if errors.Is(err, s.err) {
			return fault.Wrap(s.kind, s.text, err)
		}
	}
	code := 0
	switch {
	case errors.As(err, &answer):
		code = answer.Code
	case errors.As(err, &graph) && len(graph) > 0:
		code = graph[0].Extensions.ErrorCode
	case errors.As(err, &gone), errors.Is(err, whatsmeow.ErrNotConnected), errors.Is(err, whatsmeow.ErrNotLoggedIn):
		return fault.Wrap(fault.Unavailable, "The connection to WhatsApp broke, so this may or may not have been done. Look, and try again.", err)
	case errors.Is(err, whatsmeow.ErrIQTimedOut), errors.Is(err, whatsmeow.ErrMessageTimedOut), errors.Is(err, context.DeadlineExceeded):
		return fault.Wrap(fault.Unavailable, "WhatsApp did not answer in time. It may or may not have been done.", errors.Join(context.DeadlineExceeded, err))
	}
	if known, ok := codes[code]; ok {
		return fault.Wrap(known.kind, known.text, err)
	}
	if code != 0 {
		return fault.Wrap(fault.Unavailable, fmt.Sprintf("WhatsApp could not do this (%d). Try again later.", code), errors.Join(ErrTrouble, err))
	}
	return err
}

// person reads a phone number, the address made of it, or a hidden address.
func person(field, text string) (types.JID, error) {
	jid, err := address(field, text)
	if err == nil && jid.Server != types.DefaultUserServer && jid.Server != types.HiddenUserServer {
		err = noAddress(field, "Give the phone number of a person, in international form.")
	}
	return jid, err
}

// people reads several persons.
func people(field string, texts []string) ([]types.JID, error) {
	all := make([]types.JID, len(texts))
	for i, text := range texts {
		jid, err := person(field, text)
		if err != nil {
			return nil, err
		}
		all[i] = jid
	}
	return all, nil
}

// ofServer reads an address of one server, which may be left out.
func ofServer(field, text, server, what string) (types.JID, error) {
	text = strings.TrimSpace(text)
	if text != "" && !strings.Contains(text, "@") {
		text += "@" + server
	}
	jid, err := types.ParseJID(text)
	if err != nil || jid.Server != server || jid.User == "" || strings.Trim(jid.User, "0123456789-") != "" {
		return types.EmptyJID, noAddress(field, "This is not the id of "+what+", which is digits and ends in @"+server+".")
	}
	return jid.ToNonAD(), nil
}

func groupID(field, text string) (types.JID, error) {
	return ofServer(field, text, types.GroupServer, "a group")
}

func newsletterID(field, text string) (types.JID, error) {
	return ofServer(field, text, types.NewsletterServer, "a channel")
}

// address reads the address of a person, a group or a channel, or a phone number.
func address(field, text string) (types.JID, error) {
	text = strings.TrimSpace(text)
	if !strings.Contains(text, "@") {
		// Groups made in older days are named by their founder's number, a dash and a time.
		if len(text) > 15 && strings.Trim(text, "0123456789-") == "" {
			return groupID(field, text)
		}
		digits, err := phoneDigits(text, field)
		if err != nil {
			return types.EmptyJID, err
		}
		return types.NewJID(digits, types.DefaultUserServer), nil
	}
	jid, err := types.ParseJID(text)
	if err != nil || jid.User == "" || strings.Count(text, "@") != 1 {
		return types.EmptyJID, noAddress(field, "This is neither a phone number nor a WhatsApp address.")
	}
	jid = plainJID(jid)
	switch jid.Server {
	case types.DefaultUserServer, types.HiddenUserServer:
		if strings.Trim(jid.User, "0123456789") != "" {
			err = noAddress(field, "This is neither a phone number nor a WhatsApp address.")
		}
		return jid, err
	case types.GroupServer:
		return groupID(field, text)
	case types.NewsletterServer:
		return newsletterID(field, text)
	}
	return types.EmptyJID, noAddress(field, "This is neither a person, nor a group, nor a channel.")
}

// noAddress is the fault for what is no address, or not one of the kind that is wanted.
func noAddress(field, text string) error {
	f := fault.InField(field, text)
	f.Err = ErrAddress
	return f
}

// notOnWhatsApp is the fault about a phone number without an account.
func notOnWhatsApp(field, phone string) error {
	f := fault.InField(field, "The phone number "+phone+" is not on WhatsApp. Check the country code and the digits.")
	f.Err = ErrNotOnWhatsApp
	return f
}

// member makes sure that a person has an account, and returns the address that WhatsApp has
// for them. For somebody whose hidden address is known it asks nobody.
func (a *account) member(ctx context.Context, field string, jid types.JID) (types.JID, error) {
	all, err := a.members(ctx, field, []types.JID{jid})
	if err != nil {
		return types.EmptyJID, err
	}
	return all[0], nil
}

// members is member for several, with one question at most.
func (a *account) members(ctx context.Context, field string, all []types.JID) ([]types.JID, error) {
	there, gone, err := a.sift(ctx, all)
	if err == nil && len(gone) > 0 {
		err = notOnWhatsApp(field, "+"+gone[0].User)
	}
	return there, err
}

// sift parts people in those who have an account, in the order given and with the address
// that WhatsApp has for them, and those who have none.
func (a *account) sift(ctx context.Context, all []types.JID) (there, gone []types.JID, err error) {
	var ask []string
	for _, jid := range all {
		if jid.Server != types.DefaultUserServer {
			continue
		}
		if lid, err := a.device.LIDs.GetLIDForPN(ctx, jid); err != nil || lid.IsEmpty() {
			ask = append(ask, "+"+jid.User)
		}
	}
	answers := map[string]types.IsOnWhatsAppResponse{}
	if len(ask) > 0 {
		found, err := a.client.IsOnWhatsApp(ctx, ask)
		if err != nil {
			return nil, nil, err
		}
		for _, f := range found {
			answers[f.Query] = f
		}
	}
	for _, jid := range all {
		f, asked := answers["+"+jid.User]
		switch {
		case jid.Server != types.DefaultUserServer || !asked:
			there = append(there, jid)
		case f.IsIn:
			there = append(there, numbered(f, jid))
		default:
			gone = append(gone, jid)
		}
	}
	return there, gone, nil
}

// numbered is the phone-number address in an answer, else if there is none.
func numbered(f types.IsOnWhatsAppResponse, otherwise types.JID) types.JID {
	for _, j := range []types.JID{f.PhoneNumber, f.JID} {
		if j.Server == types.DefaultUserServer {
			return j.ToNonAD()
		}
	}
	return otherwise
}
