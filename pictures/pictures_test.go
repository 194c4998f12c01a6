package pictures

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"runtime"
	"testing"

	"switchboard/fault"
)

// corners has a different colour in each corner, so that it can be told which way it is up.
func corners(w, h int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.NRGBA{A: 255}
			switch {
			case x < w/2 && y < h/2:
				c.R = 255
			case y < h/2:
				c.G = 255
			case x < w/2:
				c.B = 255
			}
			m.SetNRGBA(x, y, c)
		}
	}
	return m
}

// order reads the colours of the corners, clockwise from the top left.
func order(m image.Image) string {
	b, s := m.Bounds(), ""
	for _, p := range []image.Point{{b.Dx() / 4, b.Dy() / 4}, {b.Dx() * 3 / 4, b.Dy() / 4}, {b.Dx() * 3 / 4, b.Dy() * 3 / 4}, {b.Dx() / 4, b.Dy() * 3 / 4}} {
		r, g, bl, _ := m.At(b.Min.X+p.X, b.Min.Y+p.Y).RGBA()
		switch {
		case r > 0x8000:
			s += "r"
		case g > 0x8000:
			s += "g"
		case bl > 0x8000:
			s += "b"
		default:
			s += "k"
		}
	}
	return s
}

func pngOf(t *testing.T, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// turned is a JPEG that says in its EXIF part how it is to be turned.
func turned(t *testing.T, m image.Image, n uint16, endian binary.AppendByteOrder) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	tiff := []byte("II*\x00")
	if endian.String() == binary.BigEndian.String() {
		tiff = []byte("MM\x00*")
	}
	tiff = endian.AppendUint32(tiff, 8)
	tiff = endian.AppendUint16(tiff, 2)
	tiff = append(endian.AppendUint16(tiff, 0x0100), make([]byte, 10)...)
	tiff = endian.AppendUint16(endian.AppendUint16(tiff, 0x0112), 3)
	tiff = endian.AppendUint32(tiff, 1)
	tiff = append(endian.AppendUint16(tiff, n), 0, 0, 0, 0, 0, 0)
	part := append([]byte("Exif\x00\x00"), tiff...)
	head := append([]byte{0xff, 0xd8, 0xff, 0xe1}, binary.BigEndian.AppendUint16(nil, uint16(len(part)+2))...)
	return append(append(head, part...), b.Bytes()[2:]...)
}

func open(t *testing.T, file []byte) *Picture {
	t.Helper()
	p, err := Open(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestUpright(t *testing.T) {
	t.Parallel()
	// What is stored shows red, green, black, blue clockwise from the top left.
	for n, want := range map[uint16]string{1: "rgkb", 2: "grbk", 3: "kbrg", 4: "bkgr", 5: "rbkg", 6: "brgk", 7: "kgrb", 8: "gkbr"} {
		for _, endian := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			p := open(t, turned(t, corners(80, 40), n, endian))
			file, w, h, err := p.JPEG(40, 90)
			if err != nil {
				t.Fatal(err)
			}
			small, err := jpeg.Decode(bytes.NewReader(file))
			if err != nil {
				t.Fatal(err)
			}
			if got := order(small); got != want || (n < 5) != (w == 40 && h == 20) || (n >= 5) != (w == 20 && h == 40) || small.Bounds().Dx() != w {
				t.Errorf("orientation %d: %s, %d by %d", n, got, w, h)
			}
		}
	}
}

func TestSquare(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		stored image.Image
		n      uint16
		edge   int
		order  string
	}{
		{corners(80, 40), 1, 40, "rgkb"}, {corners(40, 80), 1, 40, "rgkb"}, {corners(80, 40), 6, 40, "brgk"},
		{corners(800, 400), 1, 100, "rgkb"}, {corners(64, 64), 3, 64, "kbrg"},
	} {
		file, err := open(t, turned(t, c.stored, c.n, binary.BigEndian)).Square(100, 90)
		if err != nil {
			t.Fatal(err)
		}
		m, err := jpeg.Decode(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		if got := order(m); m.Bounds() != image.Rect(0, 0, c.edge, c.edge) || got != c.order {
			t.Errorf("%v turned by %d: %s in %v", c.stored.Bounds(), c.n, got, m.Bounds())
		}
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	p := open(t, pngOf(t, corners(3000, 1500)))
	for edge, want := range map[int][2]int{Standard: {1600, 800}, High: {2560, 1280}, 5000: {3000, 1500}} {
		if _, w, h, err := p.JPEG(edge, 80); err != nil || [2]int{w, h} != want {
			t.Errorf("edge %d: %d by %d, %v", edge, w, h, err)
		}
	}
	small, err := p.Thumbnail()
	if err != nil {
		t.Fatal(err)
	}
	if m, err := jpeg.Decode(bytes.NewReader(small)); err != nil || m.Bounds().Dx() != 100 || m.Bounds().Dy() != 50 || len(small) > 8<<10 || order(m) != "rgkb" {
		t.Errorf("the thumbnail has %d bytes, %v", len(small), err)
	}
}

func TestTransparencyBecomesWhite(t *testing.T) {
	t.Parallel()
	file, _, _, err := open(t, pngOf(t, image.NewNRGBA(image.Rect(0, 0, 10, 10)))).JPEG(100, 90)
	if err != nil {
		t.Fatal(err)
	}
	m, _ := jpeg.Decode(bytes.NewReader(file))
	if r, g, b, _ := m.At(5, 5).RGBA(); r < 0xf000 || g < 0xf000 || b < 0xf000 {
		t.Error("not white")
	}
}

func TestSticker(t *testing.T) {
	t.Parallel()
	var moving bytes.Buffer
	frame := image.NewPaletted(image.Rect(0, 0, 40, 20), color.Palette{color.Black, color.White})
	if err := gif.EncodeAll(&moving, &gif.GIF{Image: []*image.Paletted{frame, frame}, Delay: []int{1, 1}}); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{
		"wide": pngOf(t, corners(800, 400)), "small": pngOf(t, corners(10, 30)), "photo": turned(t, corners(80, 40), 6, binary.BigEndian), "gif": moving.Bytes(),
	} {
		made, err := open(t, file).Sticker()
		if err != nil {
			t.Fatal(err)
		}
		m, format, err := image.Decode(bytes.NewReader(made))
		if err != nil || format != "webp" || m.Bounds() != image.Rect(0, 0, 512, 512) {
			t.Fatalf("%s: %s %v, %v", name, format, m, err)
		}
		if ok, animated := IsSticker(bytes.NewReader(made)); !ok || animated {
			t.Errorf("%s is not taken for the sticker that it is", name)
		}
		if name == "wide" {
			if _, _, _, a := m.At(256, 10).RGBA(); a != 0 {
				t.Error("the margin is not transparent")
			}
			if r, _, _, a := m.At(100, 200).RGBA(); r != 0xffff || a != 0xffff {
				t.Error("the picture is not where it belongs")
			}
		}
	}
	if ok, _ := IsSticker(bytes.NewReader(pngOf(t, corners(512, 512)))); ok {
		t.Error("a PNG is taken for a sticker")
	}
	animated := append([]byte("RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02\x00\x00\x00\xff\x01\x00\xff\x01\x00"), make([]byte, 8)...)
	if ok, moves := IsSticker(bytes.NewReader(animated)); !ok || !moves {
		t.Error("an animated sticker is not taken for one")
	}
}

// A few bytes can stand for gigabytes of pixels.
func TestBombs(t *testing.T) {
	bomb := pngOf(t, image.NewGray(image.Rect(0, 0, 1, 1)))
	binary.BigEndian.PutUint32(bomb[16:], 19999)
	binary.BigEndian.PutUint32(bomb[20:], 19999)
	fixCRC(bomb)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for name, file := range map[string][]byte{"bomb": bomb, "empty": {}, "text": []byte("hello"), "cut": pngOf(t, corners(50, 50))[:60], "svg": []byte("<svg/>")} {
		_, err := Open(bytes.NewReader(file))
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
		if name == "text" && !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 16<<20 {
		t.Errorf("%d MiB were used", used>>20)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte("RIFF\x00\x00\x00\x00WEBPVP8X"))
	f.Add([]byte{0xff, 0xd8, 0xff, 0xe1, 0, 20, 'E', 'x', 'i', 'f', 0, 0, 'I', 'I', '*', 0, 8, 0, 0, 0, 1, 0})
	f.Fuzz(func(_ *testing.T, file []byte) {
		if p, err := Open(bytes.NewReader(file)); err == nil {
			_, _ = p.Thumbnail()
		}
		_, _ = IsSticker(bytes.NewReader(file))
		_ = orientation(bytes.NewReader(file))
	})
}

// fixCRC makes the checksum of a PNG's header right again.
func fixCRC(file []byte) {
	binary.BigEndian.PutUint32(file[29:], crc32.ChecksumIEEE(file[12:29]))
}
