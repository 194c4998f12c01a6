package whatsapp

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"

	"switchboard/messages"
)

// mediaOf returns what there is to fetch for a message, nil if nothing. It is left with
// WhatsApp until somebody decides otherwise.
func mediaOf(m *waE2E.Message, at time.Time) *messages.Media {
	var d *messages.Media
	switch {
	case m == nil:
		return nil
	case m.ImageMessage != nil:
		i := m.ImageMessage
		d = mediaFrom(messages.ImageFile, i, i.GetMimetype(), i.GetURL(), i.GetFileLength())
	case m.VideoMessage != nil:
		v := m.VideoMessage
		d = mediaFrom(messages.VideoFile, v, v.GetMimetype(), v.GetURL(), v.GetFileLength())
		d.Seconds = int(v.GetSeconds())
	case m.PtvMessage != nil:
		v := m.PtvMessage
		d = mediaFrom(messages.VideoNote, v, v.GetMimetype(), v.GetURL(), v.GetFileLength())
		d.Seconds = int(v.GetSeconds())
	case m.AudioMessage != nil:
		a := m.AudioMessage
		kind := messages.AudioFile
		if a.GetPTT() {
			kind = messages.VoiceNote
		}
		d = mediaFrom(kind, a, a.GetMimetype(), a.GetURL(), a.GetFileLength())
		d.Seconds = int(a.GetSeconds())
	case m.DocumentMessage != nil:
		doc := m.DocumentMessage
		d = mediaFrom(messages.DocumentFile, doc, doc.GetMimetype(), doc.GetURL(), doc.GetFileLength())
		d.Name = firstOf(doc.GetFileName(), doc.GetTitle())
	case m.StickerMessage != nil:
		st := m.StickerMessage
		d = mediaFrom(messages.StickerFile, st, st.GetMimetype(), st.GetURL(), st.GetFileLength())
	default:
		return nil
	}
	d.File = fmt.Sprintf("%d-%s.%s", at.Unix(), uuid.NewString(), extension(d))
	d.State = messages.Left
	return d
}

func mediaFrom(kind messages.Type, m whatsmeow.DownloadableMessage, mime, url string, size uint64) *messages.Media {
	return &messages.Media{
		Type: kind, MIME: mime, Size: int64(min(size, 1<<62)), URL: url,
		SHA256: m.GetFileSHA256(), EncSHA256: m.GetFileEncSHA256(), Key: m.GetMediaKey(), DirectPath: m.GetDirectPath(),
	}
}

// extensions of the types that WhatsApp's own clients send. The system's table, of which
// package mime would make a copy in every worker, has a thousand more.
var extensions = map[string]string{
	"image/jpeg": "jpeg", "image/png": "png", "image/webp": "webp", "image/gif": "gif",
	"video/mp4": "mp4", "video/3gpp": "3gp", "video/quicktime": "mov",
	"audio/ogg": "ogg", "audio/mpeg": "mp3", "audio/mp4": "m4a", "audio/aac": "aac", "audio/amr": "amr",
	"application/pdf": "pdf", "text/plain": "txt", "text/vcard": "vcf", "application/zip": "zip",
}

// extension of the file in which media are kept: of a document what its name ends in, as far
// as that is letters and digits, else by the type.
func extension(d *messages.Media) string {
	if ext := strings.ToLower(strings.TrimPrefix(path.Ext(d.Name), ".")); ext != "" && len(ext) <= 8 &&
		strings.Trim(ext, "abcdefghijklmnopqrstuvwxyz0123456789") == "" {
		return ext
	}
	kind, _, _ := strings.Cut(d.MIME, ";")
	if ext, ok := extensions[strings.TrimSpace(strings.ToLower(kind))]; ok {
		return ext
	}
	return "bin"
}
