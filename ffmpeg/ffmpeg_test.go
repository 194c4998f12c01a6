package ffmpeg

import (
	"bytes"
	"context"
	"encoding/binary"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"switchboard/fault"
)

func installed(t *testing.T) *Program {
	t.Helper()
	path, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Fatal("ffmpeg is not installed; `make test` installs it")
	}
	return New(path)
}

// wav is a tone of one second.
func wav() []byte {
	const rate = 8000
	b := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00")
	b = binary.LittleEndian.AppendUint32(b, rate)
	b = binary.LittleEndian.AppendUint32(b, 2*rate)
	b = append(b, "\x02\x00\x10\x00data"...)
	b = binary.LittleEndian.AppendUint32(b, 2*rate)
	for i := range rate {
		b = binary.LittleEndian.AppendUint16(b, uint16(int16(8000*math.Sin(float64(i)/3))))
	}
	return b
}

// film is three frames of white noise with a red middle.
func film(t *testing.T, w, h int) []byte {
	t.Helper()
	var g gif.GIF
	for range 3 {
		m := image.NewPaletted(image.Rect(0, 0, w, h), color.Palette{color.White, color.RGBA{220, 0, 0, 255}})
		for y := h / 4; y < h*3/4; y++ {
			for x := w / 4; x < w*3/4; x++ {
				m.SetColorIndex(x, y, 1)
			}
		}
		g.Image, g.Delay = append(g.Image, m), append(g.Delay, 10)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, &g); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestVoice(t *testing.T) {
	t.Parallel()
	file, err := installed(t).Voice(t.Context(), bytes.NewReader(wav()))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	made, _ := io.ReadAll(file)
	if !bytes.HasPrefix(made, []byte("OggS")) || !bytes.Contains(made[:100], []byte("OpusHead")) {
		t.Errorf("got %d bytes, %q", len(made), made[:min(len(made), 100)])
	}
}

func TestVideo(t *testing.T) {
	t.Parallel()
	p := installed(t)
	file, err := p.Video(t.Context(), bytes.NewReader(film(t, 600, 301)), 200, 28)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	still, err := p.Still(t.Context(), file, 1000)
	if err != nil {
		t.Fatal(err)
	}
	m, err := jpeg.Decode(bytes.NewReader(still))
	if err != nil {
		t.Fatal(err)
	}
	b := m.Bounds()
	r, g, _, _ := m.At(b.Dx()/2, b.Dy()/2).RGBA()
	if b.Dx() != 200 && b.Dx() != 1000 || b.Dx() < b.Dy() || r>>8 < 150 || g>>8 > 100 {
		t.Errorf("the video shows %v with %d %d in the middle", b, r>>8, g>>8)
	}
}

// A file that names other files, or addresses, leads to none of them.
func TestListsOfFiles(t *testing.T) {
	t.Parallel()
	p := installed(t)
	secret := filepath.Join(t.TempDir(), "secret.wav")
	if err := os.WriteFile(secret, wav(), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{
		"hls":    "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://" + secret + "\n#EXT-X-ENDLIST\n",
		"concat": "ffconcat version 1.0\nfile '" + secret + "'\n",
		"sdp":    "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n",
		"text":   "hello", "nothing": "",
	} {
		if _, err := p.Voice(t.Context(), strings.NewReader(file)); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	if _, err := New("").Voice(t.Context(), strings.NewReader("x")); fault.KindOf(err) != fault.Invalid || !strings.Contains(fault.MessageOf(err), "not installed") {
		t.Errorf("got %v", err)
	}
	if _, err := New("/nowhere/ffmpeg").Voice(t.Context(), strings.NewReader("x")); fault.KindOf(err) != fault.Invalid {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := installed(t).Voice(ctx, bytes.NewReader(wav())); err == nil {
		t.Error("it runs for nobody")
	}
}
