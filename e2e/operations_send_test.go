package e2e

import (
	"bytes"
	"encoding/base64"
	endian "encoding/binary" // the program under test is called binary here
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

	_ "golang.org/x/image/webp" // of stickers

	"switchboard/whatsapp/simulator/phone"
)

var sendActs = []act{
	{"POST /send/message", func(s *stage) {
		e := s.sends(params{"message": "hello 👋\nthere", "is_forwarded": false, "duration": "0", "reply_message_id": ""})
		s.is(e.Kind == phone.Text && e.Text == "hello 👋\nthere" && (e.Detail == nil || e.Detail.Expires == 0 && !e.Detail.Forwarded), "got %+v %+v", e, e.Detail)
	}},
	{"POST /send/message", func(s *stage) { // an answer, forwarded, in a chat where messages disappear
		question := s.hears(s.ann, "where?", "")
		e := s.sends(params{"message": "here", "reply_message_id": question, "is_forwarded": true, "duration": "86400"})
		s.is(e.ReplyTo == question && e.Detail.Quoted == "where?" && e.Detail.Forwarded && e.Detail.Expires == 86400, "got %+v, %+v", e, e.Detail)
	}},
	{"POST /send/message", func(s *stage) { // an answer to what is not known here
		var sent struct{ Status string }
		s.ask(s.toAnn(params{"message": "yes", "reply_message_id": "NEVER"})).into(&sent)
		s.is(strings.Contains(sent.Status, "without a quote"), "it says %q", sent.Status)
		e := s.sends(params{"message": "no", "reply_message_id": "NEVER"})
		s.is(e.ReplyTo == "", "it quotes %q", e.ReplyTo)
	}},
	{"POST /send/message", func(s *stage) { // in a group, with mentions
		group, err := s.control.CreateGroup(within(s.t, patience), s.owner.number, "Choir", s.ann.number, s.ben.number)
		s.must(err)
		for text, want := range map[string][]string{
			"hi @" + s.ann.number: {s.ann.number}, "ghost": {s.ben.number}, "all of you": {s.ann.number, s.ben.number},
		} {
			mentions := map[string][]string{"ghost": {"+" + s.ben.number}, "all of you": {"@everyone"}}[text]
			e := s.arrives(s.ann, s.ask(params{"phone": group.ID, "message": text, "mentions": mentions}).id(), nil)
			s.is(e.Chat == group.ID && e.Detail != nil && len(e.Detail.Mentions) == len(want), "%q mentions %+v", text, e.Detail)
			for _, number := range want {
				s.is(slices.ContainsFunc(s.addresses(number), func(a string) bool { return slices.Contains(e.Detail.Mentions, a) }),
					"%q does not mention %s but %v", text, number, e.Detail.Mentions)
			}
			s.arrives(s.ben, e.ID, nil)
		}
	}},
	{"POST /send/message", func(s *stage) { // a status
		e := s.arrives(s.owner, s.ask(params{"phone": "status@broadcast", "message": "my day"}).id(), nil)
		s.is(e.Text == "my day" && e.Chat == "status@broadcast", "got %+v", e)
	}},
	{"POST /send/image", func(s *stage) {
		original := aPhoto(s, 1800, 900)
		e := s.sends(params{"caption": "a photo", "compress": "false", "view_once": "false", "image": attachment{"a.png", "image/png", original}})
		s.is(bytes.Equal(s.file(e), original), "another picture arrived")
		s.is(e.Kind == phone.Image && e.Text == "a photo" && e.Media.MIME == "image/png" && e.Detail.Width == 1800 && e.Detail.Height == 900 && !e.Detail.ViewOnce,
			"got %+v %+v", e, e.Detail)
		s.is(middleIsRed(s, e.Detail.Thumbnail).Bounds().Dx() == 100, "the thumbnail is of another size")
		e = s.sends(params{"view_once": "true", "image": attachment{"a.png", "image/png", original}})
		s.is(middleIsRed(s, s.file(e)).Bounds().Dx() == 1600 && e.Media.MIME == "image/jpeg" && e.Detail.ViewOnce, "compressed: %+v %+v", e.Media, e.Detail)
		e = s.sends(params{"hd": true, "image_url": s.serve(aPhoto(s, 3000, 1500), "image/png")})
		s.is(middleIsRed(s, s.file(e)).Bounds().Dx() == 2560, "it is not of high definition")
		e = s.sends(params{"compress": false, "image": asItIs("data:image/png;base64," + base64.StdEncoding.EncodeToString(original))})
		s.is(bytes.Equal(s.file(e), original) && e.Media.MIME == "image/png", "in JSON: %+v", e.Media)
	}},
	{"POST /send/file", func(s *stage) {
		data := bytes.Repeat([]byte("some bytes \x00\xff"), 50_000)
		e := s.sends(params{"caption": "as asked", "file": attachment{"Überweisung ../x.pdf", "application/pdf", data}})
		s.is(e.Kind == phone.Document && e.Text == "as asked" && e.Media.Name == "x.pdf" && e.Media.MIME == "application/pdf" && bytes.Equal(s.file(e), data), "got %+v, %+v", e, e.Media)
		e = s.sends(params{"file_url": s.serve([]byte("%PDF-1.4 …"), "application/pdf") + "/report.pdf"})
		s.is(e.Media.Name == "report.pdf" && e.Media.MIME == "application/pdf" && string(s.file(e)) == "%PDF-1.4 …", "got %+v", e.Media)
		e = s.sends(params{"filename": "letter.bin", "file": asItIs(base64.StdEncoding.EncodeToString(data))})
		s.is(e.Media.Name == "letter.bin" && bytes.Equal(s.file(e), data), "in JSON: %+v", e.Media)
	}},
	{"POST /send/video", func(s *stage) {
		data := append([]byte("\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"), make([]byte, 5000)...)
		e := s.sends(params{"caption": "look", "gif_playback": "true", "view_once": "true", "video": attachment{"a.mp4", "video/mp4", data}})
		s.is(e.Kind == phone.Video && e.Text == "look" && e.Media.MIME == "video/mp4" && e.Detail.Loop && e.Detail.ViewOnce && bytes.Equal(s.file(e), data), "got %+v %+v %+v", e, e.Media, e.Detail)
		e = s.sends(params{"video_url": s.serve(data, "video/mp4")})
		s.is(bytes.Equal(s.file(e), data), "another video arrived")
		e = s.sends(params{"video": asItIs(base64.RawURLEncoding.EncodeToString(data))})
		s.is(bytes.Equal(s.file(e), data), "in JSON another video arrived")
		e = s.sends(params{"compress": true, "video": attachment{"a.avi", "video/avi", aClip(s)}})
		s.is(bytes.Contains(s.file(e)[:32], []byte("ftyp")) && e.Media.MIME == "video/mp4", "got %+v", e.Media)
		middleIsRed(s, e.Detail.Thumbnail)
	}},
	{"POST /send/audio", func(s *stage) {
		voice := anOgg(5)
		e := s.sends(params{"ptt": "true", "audio": attachment{"a.ogg", "audio/ogg", voice}})
		s.is(e.Kind == phone.Audio && e.Media.MIME == "audio/ogg; codecs=opus" && e.Detail.Voice && e.Detail.Seconds == 5 && bytes.Equal(s.file(e), voice), "got %+v %+v %+v", e, e.Media, e.Detail)
		music := append([]byte("ID3\x03\x00\x00\x00\x00\x00\x00"), make([]byte, 5000)...)
		e = s.sends(params{"audio_url": s.serve(music, "audio/mpeg")})
		s.is(e.Media.MIME == "audio/mpeg" && e.Detail == nil && bytes.Equal(s.file(e), music), "got %+v %+v", e.Media, e.Detail)
		e = s.sends(params{"ptt": true, "audio": asItIs("data:audio/ogg;codecs=opus;base64," + base64.StdEncoding.EncodeToString(voice))})
		s.is(e.Detail.Voice && bytes.Equal(s.file(e), voice), "in JSON: %+v", e.Detail)
		e = s.sends(params{"ptt": true, "audio": attachment{"a.wav", "audio/wav", aTone()}})
		s.is(bytes.Contains(s.file(e), []byte("OpusHead")) && e.Detail.Voice && e.Detail.Seconds == 2 && e.Media.MIME == "audio/ogg; codecs=opus", "got %+v %+v", e.Media, e.Detail)
	}},
	{"POST /send/sticker", func(s *stage) {
		e := s.sends(params{"sticker": attachment{"a.png", "image/png", aPhoto(s, 300, 300)}})
		made := s.file(e)
		s.is(middleIsRed(s, made).Bounds() == image.Rect(0, 0, 512, 512) && e.Kind == phone.Sticker && e.Media.MIME == "image/webp", "got %+v", e.Media)
		e = s.sends(params{"sticker_url": s.serve(made, "image/webp")})
		s.is(bytes.Equal(s.file(e), made), "a sticker that was ready was changed")
		e = s.sends(params{"sticker": asItIs(base64.StdEncoding.EncodeToString(made))})
		s.is(bytes.Equal(s.file(e), made), "in JSON another sticker arrived")
	}},
	{"POST /send/contact", func(s *stage) {
		e := s.sends(params{"contact_name": `Ben; the "Tenor"`, "contact_phone": "+" + s.ben.number})
		s.is(e.Kind == phone.Contact && e.Text == `Ben; the "Tenor"` && strings.Contains(e.Detail.VCard, "waid="+s.ben.number+":+"+s.ben.number), "got %+v %+v", e, e.Detail)
	}},
	{"POST /send/link", func(s *stage) {
		picture := s.serve(aPhoto(s, 200, 200), "image/png")
		page := s.serve([]byte(`<html><head><title>other</title><meta property="og:title" content="A &amp; B">
			<meta name="description" content="About both"><meta property="og:image" content="`+picture+`"></head>`), "text/html")
		e := s.sends(params{"link": page, "caption": "read this"})
		s.is(e.Text == "read this\n"+page && e.Detail.Title == "A & B" && e.Detail.Description == "About both" && e.Detail.Link == page, "got %+v %+v", e, e.Detail)
		middleIsRed(s, e.Detail.Thumbnail)
		e = s.sends(params{"link": "http://10.0.0.1/inside", "caption": "no preview"})
		s.is(e.Detail.Title == "", "got %+v", e.Detail)
	}},
	{"POST /send/location", func(s *stage) {
		e := s.sends(params{"latitude": "-7.797068", "longitude": "110.370529"})
		s.is(e.Kind == phone.Location && strings.HasPrefix(e.Text, "-7.797068, 110.370529"), "got %+v", e)
	}},
	{"POST /send/poll", func(s *stage) {
		options := []string{"Soup", "Salad", "Cake"}
		e := s.sends(params{"question": "Lunch?", "options": options, "max_answer": 2})
		s.is(e.Kind == phone.Poll && e.Text == "Lunch?" && slices.Equal(e.Detail.Options, options) && e.Detail.Selectable == 2, "got %+v %+v", e, e.Detail)
	}},
	{"POST /send/presence", func(s *stage) {
		// Who hides sees nobody.
		s.must(s.control.SetAvailable(within(s.t, patience), s.ann.number, true))
		s.must(s.control.Subscribe(within(s.t, patience), s.ann.number, s.owner.number))
		s.ask(params{"type": "available"})
		s.shows(s.ann, "somebody available", func(v phone.View) bool { return v.Activity[s.owner.number].Available })
	}},
	{"POST /send/chat-presence", func(s *stage) {
		s.ask(params{"phone": s.ann.number, "action": "start"})
		s.shows(s.ann, "somebody typing", func(v phone.View) bool { return v.Activity[s.owner.number].Typing })
		s.ask(params{"phone": s.ann.number, "action": "stop"})
		s.shows(s.ann, "nobody typing", func(v phone.View) bool { return !v.Activity[s.owner.number].Typing })
	}},
	{"POST /send/presence", func(s *stage) {
		s.ask(params{"type": "unavailable"})
		s.shows(s.ann, "nobody available", func(v phone.View) bool { return !v.Activity[s.owner.number].Available })
	}},
}

// addresses are those by which somebody may be mentioned.
func (s *stage) addresses(number string) []string {
	s.t.Helper()
	var info struct {
		LID string `json:"resolved_lid"`
	}
	_, _, body := s.raw("GET /user/info", "", params{"phone": number})
	answered{s: s, Results: results(body)}.into(&info)
	return []string{number + "@s.whatsapp.net", info.LID}
}

// serve serves data at an address of its own.
func (s *stage) serve(data []byte, media string) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", media)
		_, _ = w.Write(data)
	}))
	s.t.Cleanup(server.Close)
	return server.URL
}

// drawn is a picture that can be told from others, with a red middle.
func drawn(w, h int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.Set(x, y, color.RGBA{uint8(x), uint8(y), uint8(x * y), 255})
			if x > w/4 && x < w*3/4 && y > h/4 && y < h*3/4 {
				m.Set(x, y, color.RGBA{200, 30, 40, 255})
			}
		}
	}
	return m
}

func aPhoto(s *stage, w, h int) []byte {
	s.t.Helper()
	var b bytes.Buffer
	s.must(png.Encode(&b, drawn(w, h)))
	return b.Bytes()
}

// middleIsRed says whether the middle of a picture is red.
func middleIsRed(s *stage, file []byte) image.Image {
	s.t.Helper()
	m, _, err := image.Decode(bytes.NewReader(file))
	s.must(err)
	b := m.Bounds()
	red, green, blue, _ := m.At((b.Min.X+b.Max.X)/2, (b.Min.Y+b.Max.Y)/2).RGBA()
	s.is(red>>8 >= 180 && green>>8 <= 60 && blue>>8 <= 70, "the middle is %d %d %d", red>>8, green>>8, blue>>8)
	return m
}

// anOgg is the skeleton of an Opus file that plays for so many seconds.
func anOgg(seconds int) []byte {
	page := func(granule uint64, data string) []byte {
		p := append([]byte("OggS\x00\x00"), make([]byte, 20)...)
		endian.LittleEndian.PutUint64(p[6:], granule)
		return append(append(p, 1, byte(len(data))), data...)
	}
	return append(page(0, "OpusHead\x01\x01\x00\x00\x80\xbb\x00\x00\x00\x00\x00"), page(uint64(seconds)*48000, "frame")...)
}

// aTone is two seconds of a sound, uncompressed.
func aTone() []byte {
	const size = 2 * 2 * 8000
	b := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data")
	b = endian.LittleEndian.AppendUint32(b, size)
	for i := range size / 2 {
		b = endian.LittleEndian.AppendUint16(b, uint16(i%50)*300)
	}
	return b
}

// aClip is a video with a red middle, as old cameras made them: one JPEG after the other.
func aClip(s *stage) []byte {
	s.t.Helper()
	var frame bytes.Buffer
	s.must(jpeg.Encode(&frame, drawn(160, 120), nil))
	out := filepath.Join(s.t.TempDir(), "clip.avi")
	cmd := exec.Command("ffmpeg", "-loglevel", "error", "-f", "image2pipe", "-framerate", "5", "-i", "-", "-c", "copy", out)
	cmd.Stdin = bytes.NewReader(bytes.Repeat(frame.Bytes(), 5))
	if said, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("%v: %s", err, said)
	}
	data, err := os.ReadFile(out)
	s.must(err)
	return data
}
