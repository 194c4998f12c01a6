package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"switchboard/fault"
	"switchboard/messages"
)

// Text is a text.
type Text string

func (t Text) check() error { return checkText(string(t)) }

func (t Text) compose(_ context.Context, out *outgoing) error {
	out.message = &waE2E.Message{Conversation: proto.String(string(t))}
	return nil
}

func checkText(text string) error {
	if strings.TrimSpace(text) == "" {
		return fault.InField("text", "Write a message first.")
	}
	return checkCaption(text)
}

func checkCaption(text string) error {
	if !utf8.ValidString(text) || utf8.RuneCountInString(text) > maxText {
		return fault.InField("text", "A message is valid UTF-8 and has at most 65,536 characters.")
	}
	return nil
}

// Link is a text with a preview of an address in it.
type Link struct {
	Text, URL          string // the text has the URL in it
	Title, Description string
	Thumbnail          []byte // JPEG
}

func (l Link) check() error { return checkText(l.Text) }

func (l Link) compose(_ context.Context, out *outgoing) error {
	out.message = &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{
		Text: &l.Text, MatchedText: &l.URL, Title: optional(l.Title), Description: optional(l.Description), JPEGThumbnail: l.Thumbnail,
	}}
	return nil
}

// Contact is a person's name and number.
type Contact struct {
	Name  string
	Phone string // digits
}

func (c Contact) check() error { return nil }

func (c Contact) compose(_ context.Context, out *outgoing) error {
	name := strings.NewReplacer("\r", "", "\n", " ").Replace(c.Name)
	escaped := strings.NewReplacer(`\`, `\\`, ",", `\,`, ";", `\;`).Replace(name)
	card := fmt.Sprintf("BEGIN:VCARD\nVERSION:3.0\nN:;%s;;;\nFN:%s\nTEL;type=CELL;waid=%s:+%s\nEND:VCARD", escaped, escaped, c.Phone, c.Phone)
	out.message = &waE2E.Message{ContactMessage: &waE2E.ContactMessage{DisplayName: &name, Vcard: &card}}
	return nil
}

// Location is a place on earth.
type Location struct {
	Latitude, Longitude float64
	Name, Address       string
}

func (l Location) check() error { return nil }

func (l Location) compose(_ context.Context, out *outgoing) error {
	out.message = &waE2E.Message{LocationMessage: &waE2E.LocationMessage{
		DegreesLatitude: &l.Latitude, DegreesLongitude: &l.Longitude, Name: optional(l.Name), Address: optional(l.Address),
	}}
	return nil
}

// Poll is a question with options to choose from.
type Poll struct {
	Question string
	Options  []string // from two to twelve, each once
	Max      int      // how many of them one person may choose; from 1
}

func (p Poll) check() error { return nil }

func (p Poll) compose(_ context.Context, out *outgoing) error {
	out.message = out.a.client.BuildPollCreation(p.Question, p.Options, p.Max)
	return nil
}

// Media is a file to be shown or heard.
type Media struct {
	Kind          messages.Kind // Image, Video, Audio, Document or Sticker
	File          io.ReadSeeker
	MIME          string
	Name          string // of a document
	Caption       string // of an image, a video or a document
	Thumbnail     []byte // JPEG, small
	Width, Height uint32 // 0: unknown
	Seconds       uint32 // 0: unknown
	ViewOnce      bool   // of an image, a video or a voice message
	Voice         bool   // an audio that was just recorded
	Loop          bool   // a video that plays as an animated picture
	Animated      bool   // of a sticker
}

// uploads says as what each kind is uploaded.
var uploads = map[messages.Kind]whatsmeow.MediaType{
	messages.Image: whatsmeow.MediaImage, messages.Video: whatsmeow.MediaVideo, messages.Audio: whatsmeow.MediaAudio,
	messages.Document: whatsmeow.MediaDocument, messages.Sticker: whatsmeow.MediaImage,
}

func (f Media) check() error { return checkCaption(f.Caption) }

func (f Media) compose(ctx context.Context, out *outgoing) error {
	up, err := out.upload(ctx, f.File, uploads[f.Kind])
	if err != nil {
		return err
	}
	out.message = f.part(up)
	if f.ViewOnce {
		out.message = &waE2E.Message{ViewOnceMessage: &waE2E.FutureProofMessage{Message: out.message}}
	}
	return nil
}

// upload brings a file to WhatsApp. Those of newsletters are not encrypted.
func (o *outgoing) upload(ctx context.Context, file io.ReadSeeker, as whatsmeow.MediaType) (up whatsmeow.UploadResponse, err error) {
	if o.to.Server == types.NewsletterServer {
		up, err = o.a.client.UploadNewsletterReader(ctx, file, as)
		o.handle = up.Handle
	} else {
		var sealed *os.File
		if sealed, err = scratch(); err != nil {
			return up, err
		}
		defer func() { _ = sealed.Close() }()
		up, err = o.a.client.UploadReader(ctx, file, sealed, as)
	}
	if err != nil {
		return up, fault.Wrap(fault.Unavailable, "The file could not be uploaded to WhatsApp, so nothing was sent. Try again.", errors.Join(ErrUpload, err))
	}
	return up, nil
}

// scratch returns an empty file without a name, which is gone when it is closed.
func scratch() (*os.File, error) {
	file, err := os.CreateTemp("", "scratch-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

// ErrUpload is wrapped by the fault for a file that WhatsApp did not take.
var ErrUpload = errors.New("upload failed")

// part is the part of a message that shows an uploaded file.
func (f Media) part(up whatsmeow.UploadResponse) *waE2E.Message {
	switch f.Kind {
	case messages.Image:
		return &waE2E.Message{ImageMessage: &waE2E.ImageMessage{
			URL: &up.URL, DirectPath: &up.DirectPath, MediaKey: up.MediaKey, FileEncSHA256: up.FileEncSHA256, FileSHA256: up.FileSHA256,
			FileLength: &up.FileLength, Mimetype: &f.MIME, Caption: optional(f.Caption), JPEGThumbnail: f.Thumbnail,
			Width: known(f.Width), Height: known(f.Height), ViewOnce: yes(f.ViewOnce),
		}}
	case messages.Video:
		return &waE2E.Message{VideoMessage: &waE2E.VideoMessage{
			URL: &up.URL, DirectPath: &up.DirectPath, MediaKey: up.MediaKey, FileEncSHA256: up.FileEncSHA256, FileSHA256: up.FileSHA256,
			FileLength: &up.FileLength, Mimetype: &f.MIME, Caption: optional(f.Caption), JPEGThumbnail: f.Thumbnail,
			Width: known(f.Width), Height: known(f.Height), Seconds: known(f.Seconds), ViewOnce: yes(f.ViewOnce), GifPlayback: yes(f.Loop),
		}}
	case messages.Audio:
		return &waE2E.Message{AudioMessage: &waE2E.AudioMessage{
			URL: &up.URL, DirectPath: &up.DirectPath, MediaKey: up.MediaKey, FileEncSHA256: up.FileEncSHA256, FileSHA256: up.FileSHA256,
			FileLength: &up.FileLength, Mimetype: &f.MIME, Seconds: known(f.Seconds), PTT: yes(f.Voice), ViewOnce: yes(f.ViewOnce),
		}}
	case messages.Sticker:
		return &waE2E.Message{StickerMessage: &waE2E.StickerMessage{
			URL: &up.URL, DirectPath: &up.DirectPath, MediaKey: up.MediaKey, FileEncSHA256: up.FileEncSHA256, FileSHA256: up.FileSHA256,
			FileLength: &up.FileLength, Mimetype: &f.MIME, Width: known(f.Width), Height: known(f.Height), IsAnimated: yes(f.Animated),
		}}
	}
	return &waE2E.Message{DocumentMessage: &waE2E.DocumentMessage{
		URL: &up.URL, DirectPath: &up.DirectPath, MediaKey: up.MediaKey, FileEncSHA256: up.FileEncSHA256, FileSHA256: up.FileSHA256,
		FileLength: &up.FileLength, Mimetype: &f.MIME, FileName: optional(f.Name), Title: optional(f.Name), Caption: optional(f.Caption),
		JPEGThumbnail: f.Thumbnail,
	}}
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func known(n uint32) *uint32 {
	if n == 0 {
		return nil
	}
	return &n
}

func yes(b bool) *bool {
	if !b {
		return nil
	}
	return &b
}
