// Package qrcode turns a text into the picture of a QR code, as SVG for pages and as PNG
// for programs.
//
// Both pictures are black on white with the quiet zone of four modules that scanners need,
// whatever the colours of the page around them.
package qrcode

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strconv"
	"strings"
)

const (
	quiet       = 4 // modules of white on every side, as the standard asks
	pixels      = 8 // of a module in the PNG
	pixelsInSVG = 4
)

// SVG returns a complete <svg> element of text's QR code, ready to be put into a page. Its
// size is a whole number of pixels to a module, so that every module is drawn equally large;
// it has a viewBox too, and a page may scale it. The error says that text is too long for a
// QR code.
func SVG(text string) (string, error) {
	code, err := encode(text)
	if err != nil {
		return "", err
	}
	var path strings.Builder
	for y := range code.Size {
		for x := 0; x < code.Size; {
			run := 0
			for code.Black(x+run, y) { // false beyond the edge
				run++
			}
			if run > 0 {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", x+quiet, y+quiet, run, run)
			}
			x += run + 1
		}
	}
	side, size := strconv.Itoa(code.Size+2*quiet), strconv.Itoa((code.Size+2*quiet)*pixelsInSVG)
	return `<svg xmlns="http://www.w3.org/2000/svg" width="` + size + `" height="` + size + `" viewBox="0 0 ` + side + " " + side +
		`" shape-rendering="crispEdges" role="img" aria-label="QR code">` +
		`<path fill="#fff" d="M0 0h` + side + "v" + side + `H0z"/>` +
		`<path fill="#000" d="` + path.String() + `"/></svg>`, nil
}

// PNG returns text's QR code as a PNG file, eight pixels to a module. The error says that
// text is too long for a QR code.
func PNG(text string) ([]byte, error) {
	code, err := encode(text)
	if err != nil {
		return nil, err
	}
	side := (code.Size + 2*quiet) * pixels
	img := image.NewPaletted(image.Rect(0, 0, side, side), color.Palette{color.White, color.Black})
	for y := range side {
		for x := range side {
			if code.Black(x/pixels-quiet, y/pixels-quiet) { // false in the quiet zone
				img.Pix[y*img.Stride+x] = 1
			}
		}
	}
	var file bytes.Buffer
	if err := png.Encode(&file, img); err != nil {
		return nil, fmt.Errorf("encode a QR code as PNG: %w", err)
	}
	return file.Bytes(), nil
}
