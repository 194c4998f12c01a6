package gowa

import (
	"bytes"
	"image"
	"image/color"
	_ "image/gif" // pictures may be any of these
	"image/jpeg"
	_ "image/png"
	"io"
	"net/http"

	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp"

	"switchboard/fault"
)

// How large a profile picture is, and how large what it is made of may be. WhatsApp takes
// squares of JPEG, and its own apps send them with this width.
const (
	avatarWidth  = 640
	maxPixels    = 40_000_000
	avatarDetail = 90 // quality of the JPEG
)

// avatar makes a profile picture of a file: its middle, as large as WhatsApp shows it.
func avatar(from io.ReadSeeker) ([]byte, error) {
	no := func(err error) error {
		return withCode(http.StatusBadRequest, "INVALID_IMAGE_FORMAT",
			fault.Wrap(fault.Invalid, "this is no picture that can be read. Send JPEG, PNG, GIF or WebP.", err))
	}
	head, _, err := image.DecodeConfig(from)
	if err != nil {
		return nil, no(err)
	}
	if head.Width <= 0 || head.Height <= 0 || head.Width > maxPixels/head.Height {
		return nil, fault.New(fault.Invalid, "the picture has more than 40 million pixels.")
	}
	if _, err := from.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	picture, _, err := image.Decode(from)
	if err != nil {
		return nil, no(err)
	}
	all := picture.Bounds()
	side := min(all.Dx(), all.Dy())
	corner := all.Min.Add(image.Pt((all.Dx()-side)/2, (all.Dy()-side)/2))
	width := min(side, avatarWidth)
	square := image.NewRGBA(image.Rect(0, 0, width, width))
	draw.Draw(square, square.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src) // JPEG knows no transparency
	draw.CatmullRom.Scale(square, square.Bounds(), picture, image.Rectangle{Min: corner, Max: corner.Add(image.Pt(side, side))}, draw.Over, nil)
	var out bytes.Buffer
	if err := jpeg.Encode(&out, square, &jpeg.Options{Quality: avatarDetail}); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
