// Package pictures makes of pictures what WhatsApp wants: smaller ones, thumbnails, stickers.
//
// It is written in Go alone, since a worker may start no program. A picture says how large it
// is before it is unpacked, and what would take too much memory is not: a few bytes can
// stand for gigabytes. One picture is unpacked at a time.
package pictures

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	_ "image/gif" // so that image knows the format
	"image/jpeg"
	_ "image/png" // the same
	"io"

	"github.com/HugoSmits86/nativewebp"
	"golang.org/x/image/draw"
	"golang.org/x/image/math/f64"
	_ "golang.org/x/image/webp" // the same

	"switchboard/fault"
)

// Sizes in pixels.
const (
	Standard = 1600 // longest edge of a picture as WhatsApp sends it
	High     = 2560 // and of one in high definition
	sticker  = 512
	thumb    = 100
)

const (
	maxUnpacked = 160 << 20 // bytes
	maxEdge     = 20000
)

// ErrFormat is wrapped by the fault for a file that is no picture of a known format.
var ErrFormat = errors.New("unknown format of a picture")

// turn lets one picture be unpacked at a time.
var turn = make(chan struct{}, 1)

// Take waits until pictures may be unpacked, which ends with the call of what it returns.
func Take(ctx context.Context) (release func(), err error) {
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Picture is an unpacked picture, upright.
type Picture struct {
	image.Image
	Format string // jpeg, png, gif or webp
	turned int    // orientation in the words of EXIF, 1 to 8
}

// Open unpacks a picture, of an animation the first frame. Whoever calls it has to Take a
// turn first. The error is a fault.
func Open(file io.ReadSeeker) (*Picture, error) {
	config, format, err := image.DecodeConfig(file)
	switch {
	case err != nil:
		return nil, fault.Wrap(fault.Invalid, "this is no picture. Use a JPEG, PNG, GIF or WebP file.", errors.Join(ErrFormat, err))
	case config.Width < 1 || config.Height < 1 || config.Width > maxEdge || config.Height > maxEdge || unpacked(config) > maxUnpacked:
		return nil, fault.New(fault.Invalid, "this picture has too many pixels.")
	}
	p := &Picture{Format: format, turned: 1}
	if format == "jpeg" {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		p.turned = orientation(file)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	if p.Image, _, err = image.Decode(file); err != nil {
		return nil, fault.Wrap(fault.Invalid, "this picture is damaged.", errors.Join(ErrFormat, err))
	}
	return p, nil
}

// unpacked is about how many bytes a picture has in memory.
func unpacked(c image.Config) int64 {
	pixels := int64(c.Width) * int64(c.Height)
	switch c.ColorModel {
	case color.GrayModel:
		return pixels
	case color.YCbCrModel, color.Gray16Model:
		return 3 * pixels
	case color.RGBA64Model, color.NRGBA64Model:
		return 8 * pixels
	}
	if _, ok := c.ColorModel.(color.Palette); ok {
		return pixels
	}
	return 4 * pixels
}

// Size returns width and height of the picture as it is to be seen.
func (p *Picture) Size() (width, height int) {
	b := p.Bounds()
	if p.turned >= 5 {
		return b.Dy(), b.Dx()
	}
	return b.Dx(), b.Dy()
}

// opaque says whether nothing shines through the picture.
func (p *Picture) opaque() bool {
	o, ok := p.Image.(interface{ Opaque() bool })
	return ok && o.Opaque()
}

// JPEG returns the picture with the longest edge at most edge, and its width and height.
func (p *Picture) JPEG(edge, quality int) (file []byte, width, height int, err error) {
	width, height = fit(p, edge)
	small := image.NewRGBA(image.Rect(0, 0, width, height))
	if !p.opaque() { // JPEG knows no transparency
		draw.Draw(small, small.Bounds(), image.White, image.Point{}, draw.Src)
	}
	p.draw(small, small.Bounds())
	var out bytes.Buffer
	if err := jpeg.Encode(&out, small, &jpeg.Options{Quality: quality}); err != nil {
		return nil, 0, 0, err
	}
	return out.Bytes(), width, height, nil
}

// Square returns the middle of the picture as a JPEG, edge pixels wide and high at most.
func (p *Picture) Square(edge, quality int) ([]byte, error) {
	width, height := p.Size()
	short := min(width, height)
	edge = min(edge, short)
	scale := float64(edge) / float64(short)
	width, height = max(edge, int(float64(width)*scale+0.5)), max(edge, int(float64(height)*scale+0.5))
	square := image.NewRGBA(image.Rect(0, 0, edge, edge))
	draw.Draw(square, square.Bounds(), image.White, image.Point{}, draw.Src) // JPEG knows no transparency
	corner := image.Pt((edge-width)/2, (edge-height)/2)
	p.draw(square, image.Rectangle{Min: corner, Max: corner.Add(image.Pt(width, height))})
	var out bytes.Buffer
	if err := jpeg.Encode(&out, square, &jpeg.Options{Quality: quality}); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Thumbnail returns a JPEG so small that it travels within a message.
func (p *Picture) Thumbnail() ([]byte, error) {
	file, _, _, err := p.JPEG(thumb, 60)
	return file, err
}

// Sticker returns a WebP of 512 by 512 pixels with the picture in the middle of it.
func (p *Picture) Sticker() ([]byte, error) {
	width, height := p.Size()
	scale := float64(sticker) / float64(max(width, height))
	width, height = max(1, int(float64(width)*scale+0.5)), max(1, int(float64(height)*scale+0.5))
	at := image.Pt((sticker-width)/2, (sticker-height)/2)
	whole := image.NewNRGBA(image.Rect(0, 0, sticker, sticker))
	p.draw(whole, image.Rectangle{Min: at, Max: at.Add(image.Pt(width, height))})
	var out bytes.Buffer
	if err := nativewebp.Encode(&out, whole, nil); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// fit returns the size at which a picture's longest edge is edge at most.
func fit(p *Picture, edge int) (width, height int) {
	width, height = p.Size()
	if longest := max(width, height); longest > edge {
		scale := float64(edge) / float64(longest)
		width, height = max(1, int(float64(width)*scale+0.5)), max(1, int(float64(height)*scale+0.5))
	}
	return width, height
}

// draw draws the picture into a rectangle, upright and as large as that.
func (p *Picture) draw(onto draw.Image, in image.Rectangle) {
	b := p.Bounds()
	if p.turned == 1 {
		draw.CatmullRom.Scale(onto, in, p.Image, b, draw.Over, nil)
		return
	}
	w, h := float64(b.Dx()), float64(b.Dy())
	// What EXIF calls orientation n, as a map from the stored picture to the upright one.
	upright := [9]f64.Aff3{
		2: {-1, 0, w, 0, 1, 0}, 3: {-1, 0, w, 0, -1, h}, 4: {1, 0, 0, 0, -1, h},
		5: {0, 1, 0, 1, 0, 0}, 6: {0, -1, h, 1, 0, 0}, 7: {0, -1, h, -1, 0, w}, 8: {0, 1, 0, -1, 0, w},
	}[p.turned]
	uw, uh := p.Size()
	sx, sy := float64(in.Dx())/float64(uw), float64(in.Dy())/float64(uh)
	ox, oy := float64(b.Min.X), float64(b.Min.Y)
	to := f64.Aff3{
		upright[0] * sx, upright[1] * sx, (upright[2]-upright[0]*ox-upright[1]*oy)*sx + float64(in.Min.X),
		upright[3] * sy, upright[4] * sy, (upright[5]-upright[3]*ox-upright[4]*oy)*sy + float64(in.Min.Y),
	}
	draw.CatmullRom.Transform(onto, to, p.Image, b, draw.Over, nil)
}

// orientation reads how a JPEG has to be turned, 1 if it does not say.
func orientation(file io.Reader) int {
	head := make([]byte, 64<<10)
	n, _ := io.ReadFull(file, head)
	head = head[:n]
	if len(head) < 4 || head[0] != 0xff || head[1] != 0xd8 {
		return 1
	}
	for at := 2; at+4 <= len(head) && head[at] == 0xff; {
		size := int(binary.BigEndian.Uint16(head[at+2:]))
		if marker := head[at+1]; marker == 0xda || size < 2 || at+2+size > len(head) {
			return 1
		} else if marker == 0xe1 && bytes.HasPrefix(head[at+4:at+2+size], []byte("Exif\x00\x00")) {
			return tiffOrientation(head[at+10 : at+2+size])
		}
		at += 2 + size
	}
	return 1
}

func tiffOrientation(t []byte) int {
	var order binary.ByteOrder = binary.LittleEndian
	switch {
	case len(t) < 8:
		return 1
	case t[0] == 'M':
		order = binary.BigEndian
	}
	at := int64(order.Uint32(t[4:]))
	if at < 8 || at+2 > int64(len(t)) {
		return 1
	}
	entries := t[at+2:]
	for range order.Uint16(t[at:]) {
		if len(entries) < 12 {
			return 1
		}
		if order.Uint16(entries) == 0x0112 {
			if n := int(order.Uint16(entries[8:])); n >= 1 && n <= 8 {
				return n
			}
			return 1
		}
		entries = entries[12:]
	}
	return 1
}

// IsSticker says whether a file is a sticker as it is, a WebP of 512 by 512 pixels, and
// whether that is animated.
func IsSticker(file io.ReadSeeker) (ok, animated bool) {
	head := make([]byte, 30)
	if _, err := io.ReadFull(file, head); err != nil || string(head[:4]) != "RIFF" || string(head[8:12]) != "WEBP" {
		return false, false
	}
	if string(head[12:16]) == "VP8X" {
		width := 1 + (int(head[24]) | int(head[25])<<8 | int(head[26])<<16)
		height := 1 + (int(head[27]) | int(head[28])<<8 | int(head[29])<<16)
		return width == sticker && height == sticker, head[20]&2 != 0
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return false, false
	}
	config, _, err := image.DecodeConfig(file)
	return err == nil && config.Width == sticker && config.Height == sticker, false
}
