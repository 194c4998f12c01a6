package gowa

import (
	"context"
	"errors"
	"io"
	"net/http"

	"switchboard/pictures"
)

// How large a profile picture is. WhatsApp takes squares of JPEG, and its own apps send them
// with this width.
const (
	avatarWidth  = 640
	avatarDetail = 90 // quality of the JPEG
)

// avatar makes a profile picture of a file: its middle, as large as WhatsApp shows it.
func avatar(ctx context.Context, file io.ReadSeeker) ([]byte, error) {
	release, err := pictures.Take(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	p, err := pictures.Open(file)
	if errors.Is(err, pictures.ErrFormat) {
		return nil, withCode(http.StatusBadRequest, "INVALID_IMAGE_FORMAT", err)
	}
	if err != nil {
		return nil, err
	}
	return p.Square(avatarWidth, avatarDetail)
}
