package phone

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"switchboard/fault"
	"switchboard/whatsapp/simulator"
)

// Profile returns what the network's servers know of the phone's owner.
func (p *Phone) Profile() simulator.Profile { return p.fleet.network.Profile(p.number) }

// Seen is what a phone is shown of somebody.
type Seen struct {
	About        string `json:"about"`
	Picture      string `json:"picture"` // id
	VerifiedName string `json:"verified_name"`
}

// See asks the network about somebody.
func (p *Phone) See(ctx context.Context, number string) (Seen, error) {
	jid, err := p.address(number)
	if err != nil {
		return Seen{}, err
	}
	if err := p.ready(ctx); err != nil {
		return Seen{}, err
	}
	all, err := p.client.GetUserInfo(ctx, []types.JID{jid})
	if err != nil {
		return Seen{}, fmt.Errorf("ask about somebody: %w", err)
	}
	out := Seen{About: all[jid].Status, Picture: all[jid].PictureID}
	// whatsmeow reads the verified name, and keeps it with the contact alone.
	if c, err := p.client.Store.Contacts.GetContact(ctx, jid); err == nil {
		out.VerifiedName = c.BusinessName
	}
	return out, nil
}

// Picture fetches the picture of a person or a group as the phone sees it.
func (p *Phone) Picture(ctx context.Context, of string) ([]byte, error) {
	jid, err := p.address(of)
	if err != nil {
		return nil, err
	}
	if err := p.ready(ctx); err != nil {
		return nil, err
	}
	info, err := p.client.GetProfilePictureInfo(ctx, jid, &whatsmeow.GetProfilePictureParams{})
	switch {
	case errors.Is(err, whatsmeow.ErrProfilePictureNotSet), err == nil && info == nil:
		return nil, fault.New(fault.NotFound, "There is no picture.")
	case errors.Is(err, whatsmeow.ErrProfilePictureUnauthorized):
		return nil, fault.New(fault.Forbidden, "The picture is not shown to this phone.")
	case err != nil:
		return nil, fmt.Errorf("ask for a picture: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, info.URL, nil)
	if err != nil {
		return nil, err
	}
	client := http.Client{Transport: p.fleet.network.PhoneTransport(), Timeout: time.Minute}
	resp, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("fetch a picture: %w", err)
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

// SetPicture makes a JPEG file the picture of the phone's owner or, with of not "", of a
// group. Without a file there is none any more.
func (p *Phone) SetPicture(ctx context.Context, of string, jpeg []byte) error {
	jid := types.EmptyJID
	if of != "" {
		var err error
		if jid, err = p.address(of); err != nil {
			return err
		}
	}
	if err := p.ready(ctx); err != nil {
		return err
	}
	if len(jpeg) == 0 {
		jpeg = nil
	}
	if _, err := p.client.SetGroupPhoto(ctx, jid, jpeg); err != nil {
		return fault.Wrap(fault.Invalid, "The network does not take this picture. It has to be a JPEG file.", err)
	}
	return nil
}

// SetAbout sets the text that the phone's owner shows about themselves.
func (p *Phone) SetAbout(ctx context.Context, about string) error {
	if err := p.ready(ctx); err != nil {
		return err
	}
	if err := p.client.SetStatusMessage(ctx, types.SetStatusInput{Text: &about}); err != nil {
		return fmt.Errorf("set the text about oneself: %w", err)
	}
	return nil
}
