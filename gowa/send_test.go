//go:build !race

package gowa_test

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "golang.org/x/image/webp" // of stickers

	"switchboard/whatsapp/simulator"
	"switchboard/whatsapp/simulator/phone"
)

const post, get = http.MethodPost, http.MethodGet

type params = map[string]any

// photo is a picture that can be told from others.
func photo(w, h int, c color.Color) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.Set(x, y, color.RGBA{uint8(x), uint8(y), uint8(x * y), 255})
			if x > w/4 && x < w*3/4 && y > h/4 && y < h*3/4 {
				m.Set(x, y, c)
			}
		}
	}
	return m
}

func pngOf(t *testing.T, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var red = color.RGBA{200, 30, 40, 255}

// isRed says whether the middle of a picture is red.
func isRed(t *testing.T, file []byte) image.Image {
	t.Helper()
	m, _, err := image.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	b := m.Bounds()
	r, g, bl, _ := m.At((b.Min.X+b.Max.X)/2, (b.Min.Y+b.Max.Y)/2).RGBA()
	if r>>8 < 180 || g>>8 > 60 || bl>>8 > 70 {
		t.Fatalf("the middle is %d %d %d", r>>8, g>>8, bl>>8)
	}
	return m
}

// A number that sends everything to everybody, held against what phones show.
func TestSend(t *testing.T) {
	t.Parallel()
	n, ann, ben := newLinked(t), newPhone(t, "Ann"), newPhone(t, "Ben")
	group, err := n.owner.CreateGroup(within(t), "Choir", []string{ann.Number(), ben.Number()})
	if err != nil {
		t.Fatal(err)
	}
	to := func(p params) params {
		out := params{"phone": ann.Number()}
		for k, v := range p {
			out[k] = v
		}
		return out
	}
	// sends asks and returns what arrives at Ann's phone, and at the number's own.
	sends := func(t *testing.T, path string, p params, files ...file) phone.Entry {
		t.Helper()
		id := n.done(post, path, to(p), files...).id(t)
		e := arrives(t, ann, id, nil)
		if own := arrives(t, n.owner, id, nil); own.Kind != e.Kind || own.Text != e.Text || !own.FromMe {
			t.Errorf("the owner's phone has %+v", own)
		}
		if e.From != n.owner.Number() {
			t.Errorf("it came from %s", e.From)
		}
		if stored, err := n.store.Find(within(t), ann.Number()+"@s.whatsapp.net", "", id); err != nil || !stored.FromMe || len(stored.Raw) == 0 {
			t.Errorf("stored is %+v, %v", stored, err)
		}
		return e
	}
	download := func(t *testing.T, e phone.Entry) []byte {
		t.Helper()
		data, err := ann.Download(within(t), e.Chat, e.ID)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}

	n.run(t, "text", func(t *testing.T) {
		e := sends(t, "/send/message", params{"message": "hello 👋\nthere"})
		if e.Kind != phone.Text || e.Text != "hello 👋\nthere" || e.Detail != nil {
			t.Errorf("got %+v", e)
		}
	})
	n.run(t, "reply, forwarded, disappearing", func(t *testing.T) {
		question, err := ann.SendText(within(t), n.owner.Number(), "where?")
		if err != nil {
			t.Fatal(err)
		}
		n.storedIn(ann.Number()+"@s.whatsapp.net", question.ID)
		e := sends(t, "/send/message", params{"message": "here", "reply_message_id": question.ID, "is_forwarded": true, "duration": "86400"})
		if e.ReplyTo != question.ID || e.Detail == nil || e.Detail.Quoted != "where?" || !e.Detail.Forwarded || e.Detail.Expires != 86400 {
			t.Errorf("got %+v, %+v", e, e.Detail)
		}
	})
	n.run(t, "mentions", func(t *testing.T) {
		for _, c := range []struct {
			text string
			list []string
			want []string
		}{
			{"hi @" + ann.Number(), nil, []string{ann.Number()}},
			{"ghost", []string{"+" + ben.Number()}, []string{ben.Number()}},
			{"all of you", []string{"@everyone"}, []string{ann.Number(), ben.Number()}},
		} {
			id := n.done(post, "/send/message", params{"phone": group.ID, "message": c.text, "mentions": c.list}).id(t)
			e := arrives(t, ann, id, nil)
			if e.Detail == nil || len(e.Detail.Mentions) != len(c.want) {
				t.Fatalf("%q mentions %+v", c.text, e.Detail)
			}
			for _, want := range c.want {
				if !slices.ContainsFunc(e.Detail.Mentions, func(m string) bool { return ann.PersonAt(within(t), m) == want }) {
					t.Errorf("%q does not mention %s but %v", c.text, want, e.Detail.Mentions)
				}
			}
			arrives(t, ben, id, nil)
		}
		n.refused("400 VALIDATION_ERROR", post, "/send/message", to(params{"message": "x", "mentions": []string{"@everyone"}}))
		n.refused("400 VALIDATION_ERROR", post, "/send/message", to(params{"message": "x", "mentions": []string{"nobody"}}))
	})
	n.run(t, "image", func(t *testing.T) {
		original := pngOf(t, photo(2000, 1000, red))
		e := sends(t, "/send/image", params{"caption": "a photo", "compress": "false"}, file{"image", "a.png", "image/png", original})
		if got := download(t, e); !bytes.Equal(got, original) {
			t.Errorf("%d bytes arrived of %d", len(got), len(original))
		}
		if e.Kind != phone.Image || e.Text != "a photo" || e.Media.MIME != "image/png" || e.Detail.Width != 2000 || e.Detail.Height != 1000 {
			t.Errorf("got %+v %+v", e, e.Detail)
		}
		if m := isRed(t, e.Detail.Thumbnail); m.Bounds().Dx() != 100 || m.Bounds().Dy() != 50 {
			t.Errorf("the thumbnail has %v", m.Bounds())
		}
		e = sends(t, "/send/image", params{"view_once": "true"}, file{"image", "a.png", "image/png", original})
		if m := isRed(t, download(t, e)); m.Bounds().Dx() != 1600 || e.Media.MIME != "image/jpeg" || !e.Detail.ViewOnce {
			t.Errorf("compressed: %v %+v %+v", m.Bounds(), e.Media, e.Detail)
		}
		e = sends(t, "/send/image", params{"hd": true, "image_url": serve(t, pngOf(t, photo(3000, 1500, red)), "image/png")})
		if m := isRed(t, download(t, e)); m.Bounds().Dx() != 2560 || e.Detail.ViewOnce {
			t.Errorf("high definition: %v", m.Bounds())
		}
		n.refused("400 VALIDATION_ERROR", post, "/send/image", to(nil))
		n.refused("400 VALIDATION_ERROR", post, "/send/image", to(nil), file{"image", "a.png", "image/png", []byte("no picture")})
		n.refused("400 VALIDATION_ERROR", post, "/send/image", to(nil), file{"image", "a.png", "image/png", nil})
		n.refused("413 VALIDATION_ERROR", post, "/send/image", to(nil), file{"image", "a.png", "image/png", make([]byte, 20_000_001)})
		n.refused("400 VALIDATION_ERROR", post, "/send/image", to(params{"image_url": "http://10.0.0.1/a.png"}))
		n.refused("400 VALIDATION_ERROR", post, "/send/image", to(params{"image_url": "file:///etc/passwd"}))
		n.refused("400 VALIDATION_ERROR", post, "/send/image", to(params{"image_url": serve(t, nil, "image/png")}))
		n.refused("413 VALIDATION_ERROR", post, "/send/image", to(params{"image_url": serve(t, make([]byte, 20_000_001), "image/png")}))
	})
	n.run(t, "file", func(t *testing.T) {
		data := bytes.Repeat([]byte("some bytes \x00\xff"), 100_000)
		e := sends(t, "/send/file", params{"caption": "as asked"}, file{"file", "Überweisung ../x.pdf", "application/pdf", data})
		if e.Kind != phone.Document || e.Text != "as asked" || e.Media.Name != "x.pdf" || e.Media.MIME != "application/pdf" || !bytes.Equal(download(t, e), data) {
			t.Errorf("got %+v, %+v", e, e.Media)
		}
		e = sends(t, "/send/file", params{"file_url": serve(t, []byte("%PDF-1.4 …"), "application/pdf") + "/report.pdf"})
		if e.Media.Name != "report.pdf" || e.Media.MIME != "application/pdf" || string(download(t, e)) != "%PDF-1.4 …" {
			t.Errorf("got %+v", e.Media)
		}
		n.refused("413 VALIDATION_ERROR", post, "/send/file", to(nil), file{"file", "a", "", make([]byte, 50_000_001)})
	})
	n.run(t, "video", func(t *testing.T) {
		data := append([]byte("\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"), make([]byte, 5000)...)
		e := sends(t, "/send/video", params{"caption": "look", "gif_playback": "true", "view_once": "true"}, file{"video", "a.mp4", "video/mp4", data})
		if e.Kind != phone.Video || e.Text != "look" || e.Media.MIME != "video/mp4" || !e.Detail.Loop || !e.Detail.ViewOnce || !bytes.Equal(download(t, e), data) {
			t.Errorf("got %+v %+v %+v", e, e.Media, e.Detail)
		}
		sends(t, "/send/video", params{"video_url": serve(t, data, "video/mp4")})
		n.refused("400 VALIDATION_ERROR", post, "/send/video", to(nil), file{"video", "a.mp4", "video/mp4", []byte("<html>")})
		n.refused("400 VALIDATION_ERROR", post, "/send/video", to(params{"hd": true}), file{"video", "a.mp4", "video/mp4", data}) // nothing to be seen
		e = sends(t, "/send/video", params{"compress": true}, file{"video", "a.avi", "video/avi", clip(t)})
		if made := download(t, e); !bytes.Contains(made[:32], []byte("ftyp")) || e.Media.MIME != "video/mp4" {
			t.Errorf("got %d bytes, %+v", len(made), e.Media)
		}
		isRed(t, e.Detail.Thumbnail)
	})
	n.run(t, "audio", func(t *testing.T) {
		voice := ogg(5)
		e := sends(t, "/send/audio", params{"ptt": "true"}, file{"audio", "a.ogg", "audio/ogg", voice})
		if e.Kind != phone.Audio || e.Media.MIME != "audio/ogg; codecs=opus" || !e.Detail.Voice || e.Detail.Seconds != 5 || !bytes.Equal(download(t, e), voice) {
			t.Errorf("got %+v %+v %+v", e, e.Media, e.Detail)
		}
		music := append([]byte("ID3\x03\x00\x00\x00\x00\x00\x00"), make([]byte, 5000)...)
		e = sends(t, "/send/audio", params{"audio_url": serve(t, music, "audio/mpeg")})
		if e.Media.MIME != "audio/mpeg" || e.Detail != nil || !bytes.Equal(download(t, e), music) {
			t.Errorf("got %+v %+v", e.Media, e.Detail)
		}
		n.refused("400 VALIDATION_ERROR", post, "/send/audio", to(params{"ptt": true, "audio_url": serve(t, music, "audio/mpeg")})) // nothing to be heard
		e = sends(t, "/send/audio", params{"ptt": true}, file{"audio", "a.wav", "audio/wav", tone()})
		if made := download(t, e); !bytes.Contains(made, []byte("OpusHead")) || !e.Detail.Voice || e.Detail.Seconds != 2 || e.Media.MIME != "audio/ogg; codecs=opus" {
			t.Errorf("got %d bytes, %+v %+v", len(made), e.Media, e.Detail)
		}
	})
	n.run(t, "sticker", func(t *testing.T) {
		e := sends(t, "/send/sticker", nil, file{"sticker", "a.png", "image/png", pngOf(t, photo(300, 300, red))})
		made := download(t, e)
		if m := isRed(t, made); m.Bounds() != image.Rect(0, 0, 512, 512) || e.Kind != phone.Sticker || e.Media.MIME != "image/webp" {
			t.Errorf("got %v %+v", m.Bounds(), e.Media)
		}
		e = sends(t, "/send/sticker", params{"sticker_url": serve(t, made, "image/webp")})
		if !bytes.Equal(download(t, e), made) {
			t.Error("a sticker that was ready was changed")
		}
	})
	n.run(t, "contact", func(t *testing.T) {
		e := sends(t, "/send/contact", params{"contact_name": "Ben; the \"Tenor\"", "contact_phone": "+" + ben.Number()})
		if e.Kind != phone.Contact || e.Text != "Ben; the \"Tenor\"" || !strings.Contains(e.Detail.VCard, "waid="+ben.Number()+":+"+ben.Number()) {
			t.Errorf("got %+v %+v", e, e.Detail)
		}
	})
	n.run(t, "location", func(t *testing.T) {
		e := sends(t, "/send/location", params{"latitude": "-7.797068", "longitude": "110.370529"})
		if e.Kind != phone.Location || !strings.HasPrefix(e.Text, "-7.797068, 110.370529") {
			t.Errorf("got %+v", e)
		}
		n.refused("400 VALIDATION_ERROR", post, "/send/location", to(params{"latitude": "91", "longitude": "NaN"}))
	})
	n.run(t, "poll", func(t *testing.T) {
		e := sends(t, "/send/poll", params{"question": "Lunch?", "options": []string{"Soup", "Salad", "Cake"}, "max_answer": 2})
		if e.Kind != phone.Poll || e.Text != "Lunch?" || !slices.Equal(e.Detail.Options, []string{"Soup", "Salad", "Cake"}) || e.Detail.Selectable != 2 {
			t.Errorf("got %+v %+v", e, e.Detail)
		}
		n.refused("400 VALIDATION_ERROR", post, "/send/poll", to(params{"question": "?", "options": []string{"a", "a"}, "max_answer": 1}))
		n.refused("400 VALIDATION_ERROR", post, "/send/poll", to(params{"question": "?", "options": []string{"a", "b"}, "max_answer": 3}))
	})
	n.run(t, "link", func(t *testing.T) {
		picture := serve(t, pngOf(t, photo(200, 200, red)), "image/png")
		page := serve(t, []byte(`<html><head><title>other</title><meta property="og:title" content="A &amp; B">
			<meta name="description" content="About both"><meta property="og:image" content="`+picture+`"></head>`), "text/html")
		e := sends(t, "/send/link", params{"link": page, "caption": "read this"})
		if e.Text != "read this\n"+page || e.Detail.Title != "A & B" || e.Detail.Description != "About both" || e.Detail.Link != page {
			t.Errorf("got %+v %+v", e, e.Detail)
		}
		isRed(t, e.Detail.Thumbnail)
		e = sends(t, "/send/link", params{"link": "http://10.0.0.1/inside", "caption": "no preview"})
		if e.Detail.Title != "" {
			t.Errorf("got %+v", e.Detail)
		}
		n.refused("400 VALIDATION_ERROR", post, "/send/link", to(params{"link": "no link", "caption": "x"}))
	})
	n.run(t, "presence", func(t *testing.T) {
		if err := ann.SetAvailable(within(t), true); err != nil { // whoever hides sees nobody
			t.Fatal(err)
		}
		if err := ann.Subscribe(within(t), n.owner.Number()); err != nil {
			t.Fatal(err)
		}
		n.done(post, "/send/presence", params{"type": "available"})
		activity(t, ann, n.owner.Number(), func(a phone.Activity) bool { return a.Available })
		n.done(post, "/send/chat-presence", to(params{"action": "start"}))
		activity(t, ann, n.owner.Number(), func(a phone.Activity) bool { return a.Typing })
		n.done(post, "/send/chat-presence", to(params{"action": "stop"}))
		activity(t, ann, n.owner.Number(), func(a phone.Activity) bool { return !a.Typing })
		n.done(post, "/send/presence", params{"type": "unavailable"})
		activity(t, ann, n.owner.Number(), func(a phone.Activity) bool { return !a.Available })
		n.refused("400 VALIDATION_ERROR", post, "/send/presence", params{"type": "asleep"})
	})
	n.run(t, "status", func(t *testing.T) {
		id := n.done(post, "/send/message", params{"phone": "status@broadcast", "message": "my day"}).id(t)
		if e := arrives(t, n.owner, id, nil); e.Text != "my day" || e.Chat != "status@broadcast" {
			t.Errorf("got %+v", e)
		}
	})
	n.run(t, "group", func(t *testing.T) {
		id := n.done(post, "/send/message", params{"phone": strings.TrimSuffix(group.ID, "@g.us"), "message": "all"}).id(t)
		arrives(t, ann, id, nil)
		arrives(t, ben, id, func(e phone.Entry) bool { return e.Chat == group.ID })
	})
	n.run(t, "in a chat whose messages disappear", func(t *testing.T) {
		carl := newPhone(t, "Carl")
		n.done(post, "/chat/{chat_jid}/disappearing", params{"chat_jid": carl.Number() + "@s.whatsapp.net", "timer_seconds": 604800})
		id := n.done(post, "/send/message", params{"phone": carl.Number(), "message": "soon gone"}).id(t)
		if e := arrives(t, carl, id, nil); e.Detail == nil || e.Detail.Expires != 604800 {
			t.Errorf("it disappears after %+v", e.Detail)
		}
		id = n.done(post, "/send/message", params{"phone": carl.Number(), "message": "stays", "duration": 0}).id(t)
		if e := arrives(t, carl, id, nil); e.Detail != nil && e.Detail.Expires != 0 {
			t.Errorf("it disappears after %+v", e.Detail)
		}
	})
	n.run(t, "what cannot be", func(t *testing.T) {
		for want, p := range map[string]string{
			"400 INVALID_JID": "hello@world", "400 VALIDATION_ERROR": "not a number", "404 NOT_FOUND": "120363999999999999@g.us",
		} {
			n.refused(want, post, "/send/message", params{"phone": p, "message": "x"})
		}
		n.refused("400 VALIDATION_ERROR", post, "/send/message", params{"phone": "4917199999999", "message": "x"}) // nobody's
		n.refused("404 NOT_FOUND", post, "/send/message", to(params{"message": "x", "reply_message_id": "NEVER"}))
		n.refused("400 VALIDATION_ERROR", post, "/send/message", to(params{"message": " "}))
		network.RefuseSends(simulator.Target{Number: n.owner.Number()}, 463)
		n.refused("429 WA_REACHOUT_TIMELOCK", post, "/send/message", to(params{"message": "x"}))
		network.RefuseSends(simulator.Target{Number: n.owner.Number()}, 0)
	})
	for _, op := range operations("/send/") {
		if !n.asked[op] {
			t.Errorf("%s was not tried", op)
		}
	}
}

// storedIn waits until a message is stored in a chat.
func (n *number) storedIn(chat, id string) {
	n.t.Helper()
	ctx := within(n.t)
	for {
		_, err := n.store.Find(ctx, chat, "", id)
		if err == nil {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond): // the database has no signal to wait for
		case <-ctx.Done():
			n.t.Fatalf("%s is not stored: %v", id, err)
		}
	}
}

// activity waits until somebody does something in a chat.
func activity(t *testing.T, p *phone.Phone, chat string, match func(phone.Activity) bool) {
	t.Helper()
	ctx := within(t)
	for !match(p.Activity(chat)) {
		if _, err := p.Watch(ctx, p.Seq()); err != nil {
			t.Fatalf("%+v: %v", p.Activity(chat), err)
		}
	}
}

// serve serves data at an address of its own.
func serve(t *testing.T, data []byte, media string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", media)
		_, _ = w.Write(data)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// ogg is the skeleton of an Opus file that plays for so many seconds.
func ogg(seconds int) []byte {
	page := func(granule uint64, data string) []byte {
		p := append([]byte("OggS\x00\x00"), make([]byte, 20)...)
		for i := range 8 {
			p[6+i] = byte(granule >> (8 * i))
		}
		return append(append(p, 1, byte(len(data))), data...)
	}
	return append(page(0, "OpusHead\x01\x01\x00\x00\x80\xbb\x00\x00\x00\x00\x00"), page(uint64(seconds)*48000, "frame")...)
}

// tone is two seconds of a sound, uncompressed.
func tone() []byte {
	const size = 2 * 2 * 8000
	b := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data")
	b = binary.LittleEndian.AppendUint32(b, size)
	for i := range size / 2 {
		b = binary.LittleEndian.AppendUint16(b, uint16(i%50)*300)
	}
	return b
}

// clip is a video with a red middle, as old cameras made them: one JPEG after the other.
func clip(t *testing.T) []byte {
	t.Helper()
	var frame bytes.Buffer
	if err := jpeg.Encode(&frame, photo(160, 120, red), nil); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "clip.avi")
	cmd := exec.Command("ffmpeg", "-loglevel", "error", "-f", "image2pipe", "-framerate", "5", "-i", "-", "-c", "copy", out)
	cmd.Stdin = bytes.NewReader(bytes.Repeat(frame.Bytes(), 5))
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
