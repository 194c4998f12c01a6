package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"switchboard/fault"
)

func TestAddresses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"+49 170 1234567": "491701234567@s.whatsapp.net", "491701234567@s.whatsapp.net": "491701234567@s.whatsapp.net",
		"491701234567:12@s.whatsapp.net": "491701234567@s.whatsapp.net", "491701234567@c.us": "491701234567@s.whatsapp.net",
		"123456789012345@lid": "123456789012345@lid", "123456789012345:3@lid": "123456789012345@lid",
		"120363025982934543@g.us": "120363025982934543@g.us", "120363025982934543": "120363025982934543@g.us",
		"491701234567-1600000000@g.us": "491701234567-1600000000@g.us", "120363025982934543@newsletter": "120363025982934543@newsletter",
		" 491701234567 ": "491701234567@s.whatsapp.net",
		"":               "", "x": "", "12": "", "0170 1234567": "", "x@s.whatsapp.net": "", "@g.us": "", "1x@g.us": "", "status@broadcast": "",
		"491701234567@example.com": "", "491701234567'--@s.whatsapp.net": "", "1@newsletter@x": "",
	} {
		jid, err := address("phone", text)
		if got := jid.String(); err == nil && got != want || (err != nil) != (want == "") {
			t.Errorf("%q is %q, %v", text, got, err)
		}
		if err != nil && (fault.KindOf(err) != fault.Invalid || fault.FieldOf(err) != "phone" || fault.MessageOf(err) == "") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := person("phone", "120363025982934543@g.us"); !errors.Is(err, ErrAddress) {
		t.Errorf("a group is a person: %v", err)
	}
	for text, want := range map[string]string{
		"https://chat.whatsapp.com/AbC123": "AbC123", "chat.whatsapp.com/AbC123?mode=ac_t": "AbC123", "AbC123": "AbC123",
		"https://chat.whatsapp.com/invite/AbC123/": "AbC123", "https://example.com/AbC123": "", "": "", "https://chat.whatsapp.com/": "",
	} {
		if got, err := inviteCode(text); got != want || (err != nil) != (want == "") {
			t.Errorf("the code in %q is %q, %v", text, got, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	graph := func(code int) error {
		return fmt.Errorf("graphql error: %w", types.GraphQLErrors{{Extensions: types.GraphQLErrorExtensions{ErrorCode: code}}})
	}
	own := fault.New(fault.Conflict, "Ours.")
	for name, c := range map[string]struct {
		err  error
		kind fault.Kind
	}{
		"ours":                   {own, fault.Conflict},
		"not in the group":       {fmt.Errorf("x: %w", whatsmeow.ErrNotInGroup), fault.NotFound},
		"a link that was reset":  {whatsmeow.ErrInviteLinkRevoked, fault.Invalid},
		"forbidden":              {&whatsmeow.IQError{Code: 403}, fault.Forbidden},
		"not found":              {&whatsmeow.IQError{Code: 404}, fault.NotFound},
		"no longer":              {&whatsmeow.IQError{Code: 405}, fault.Forbidden},
		"too fast":               {&whatsmeow.IQError{Code: 429}, fault.Throttled},
		"trouble":                {&whatsmeow.IQError{Code: 503}, fault.Unavailable},
		"channel not found":      {graph(404), fault.NotFound},
		"channel not allowed":    {graph(405), fault.Forbidden},
		"broken connection":      {&whatsmeow.DisconnectedError{Action: "info query"}, fault.Unavailable},
		"not connected":          {whatsmeow.ErrNotConnected, fault.Unavailable},
		"no answer":              {whatsmeow.ErrIQTimedOut, fault.Unavailable},
		"nothing that is known":  {errors.New("disk"), fault.Internal},
		"the caller is in hurry": {context.DeadlineExceeded, fault.Unavailable},
	} {
		got := refusal(c.err)
		if fault.KindOf(got) != c.kind || !errors.Is(got, c.err) || fault.MessageOf(got) == "" {
			t.Errorf("%s becomes %v", name, got)
		}
	}
	if refusal(nil) != nil {
		t.Error("nothing becomes something")
	}
	if err := refusal(whatsmeow.ErrIQTimedOut); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no answer in time is %v", err)
	}
	if err := refusal(&whatsmeow.IQError{Code: 503}); !errors.Is(err, ErrTrouble) {
		t.Errorf("WhatsApp's trouble is %v", err)
	}
}
