package qrcode

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
)

// A code of the length and alphabet that WhatsApp uses.
var long = "2@" + strings.Repeat("aB3/+xYz9Q==,", 17)

func TestPNGDecodes(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"x", long} {
		data, err := PNG(text)
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if got := decode(t, img); got != text {
			t.Errorf("decoded %q, want %q", got, text)
		}
		for _, chunk := range []string{"tEXt", "zTXt", "iTXt"} {
			if bytes.Contains(data, []byte(chunk)) {
				t.Errorf("the PNG has a text (%s) that nobody asked for", chunk)
			}
		}
	}
}

func TestSVGDecodes(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"x", long} {
		svg, err := SVG(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := decode(t, rasterise(t, svg)); got != text {
			t.Errorf("decoded %q, want %q", got, text)
		}
	}
}

func TestTooLong(t *testing.T) {
	t.Parallel()
	if _, err := SVG(strings.Repeat("x", 3000)); err == nil {
		t.Error("SVG took a text that fits no QR code")
	}
	if _, err := PNG(strings.Repeat("x", 3000)); err == nil {
		t.Error("PNG took a text that fits no QR code")
	}
}

func decode(t *testing.T, img image.Image) string {
	t.Helper()
	bitmap, err := gozxing.NewBinaryBitmapFromImage(img)
	if err != nil {
		t.Fatal(err)
	}
	hints := map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true}
	result, err := qrcode.NewQRCodeReader().Decode(bitmap, hints)
	if err != nil {
		t.Fatal(err)
	}
	return result.GetText()
}

var (
	viewBox = regexp.MustCompile(`viewBox="0 0 (\d+) (\d+)"`)
	runs    = regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-(\d+)z`)
)

// rasterise draws what a browser would draw: every run of the black path on a white square.
func rasterise(t *testing.T, svg string) image.Image {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("the SVG is not well-formed: %v", err)
		}
	}
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	box := viewBox.FindStringSubmatch(svg)
	if box == nil {
		t.Fatal("the SVG has no viewBox")
	}
	side := number(box[1])
	img := image.NewGray(image.Rect(0, 0, side*pixels, side*pixels))
	draw.Draw(img, img.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	for _, m := range runs.FindAllStringSubmatch(svg, -1) {
		x, y, w := number(m[1]), number(m[2]), number(m[3])
		draw.Draw(img, image.Rect(x*pixels, y*pixels, (x+w)*pixels, (y+1)*pixels), image.Black, image.Point{}, draw.Src)
	}
	return img
}
