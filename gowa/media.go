package gowa

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"switchboard/egress"
	"switchboard/fault"
	"switchboard/messages"
	"switchboard/pictures"
	"switchboard/whatsapp"
)

// fetchTimeout is how long a file may take to come from its address.
const fetchTimeout = 35 * time.Second

// Longest edges of videos that are made here, and of the still that stands for one.
const (
	videoEdge = 848
	videoHigh = 1280
	thumbEdge = 100
)

// quality of JPEG pictures that are made here.
const quality = 80

// media returns the file of a request: the one that came with it in the field name, or the
// one at the address in name_url. Everything else about the request has to be checked
// before, since it may fetch a hundred megabytes.
func (a *API) media(r *request, name string, limit int64) (*upload, error) {
	if f := r.files[name]; f != nil {
		if f.size == 0 {
			return nil, fault.InField(name, name+": the file is empty.")
		}
		return f, nil
	}
	address := strings.TrimSpace(r.text(name + "_url"))
	if address == "" {
		return nil, fault.InField(name, fmt.Sprintf("%s: either a file in the field %s or its address in %s_url is needed.", name, name, name))
	}
	f, err := a.fetch(r.Context(), address, limit)
	if err != nil {
		return nil, inField(name+"_url", err)
	}
	r.files[name] = f
	return f, nil
}

// fetch brings a file from an address to the disk.
func (a *API) fetch(ctx context.Context, address string, limit int64) (*upload, error) {
	u, err := egress.Parse(address)
	if err != nil {
		return nil, err
	}
	res, err := a.get(ctx, u, fetchTimeout)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.ContentLength > limit {
		return nil, fault.New(fault.TooLarge, "the file is larger than "+megabytes(limit)+".")
	}
	f, err := newUpload(res.Body, limit)
	switch {
	case err != nil && fault.KindOf(err) == fault.Internal && ctx.Err() == nil:
		return nil, fault.Wrap(fault.Invalid, "the file could not be fetched to its end.", err)
	case err != nil:
		return nil, err
	case f.size == 0:
		_ = f.Close()
		return nil, fault.New(fault.Invalid, "the file at this address is empty.")
	}
	f.media = res.Header.Get("Content-Type")
	_, params, _ := mime.ParseMediaType(res.Header.Get("Content-Disposition"))
	if f.name = clean(params["filename"]); f.name == "" {
		f.name = clean(path.Base(res.Request.URL.Path))
	}
	if f.name == "." {
		f.name = ""
	}
	return f, nil
}

// get asks an address of somebody's choice. The answer is 200, and its body is to be closed.
func (a *API) get(ctx context.Context, u *url.URL, timeout time.Duration) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil) //nolint:gosec // what egress is for
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "This is no address that begins with https:// or http://.", err)
	}
	r.Header.Set("User-Agent", "Switchboard/"+a.o.Version)
	res, err := a.o.Egress.Client(timeout).Do(r) //nolint:gosec // the same
	if err != nil {
		if fault.KindOf(err) != fault.Internal || ctx.Err() != nil {
			return nil, err // refused, or too late
		}
		return nil, fault.Wrap(fault.Invalid, "nothing answers at this address.", err)
	}
	if res.StatusCode != http.StatusOK {
		_ = res.Body.Close()
		return nil, fault.New(fault.Invalid, fmt.Sprintf("this address answers %d instead of 200.", res.StatusCode))
	}
	return res, nil
}

// kind finds out what type of file it is: from its content, or from what its sender or its
// name say, if the content can be many things.
func (u *upload) kind() (string, error) {
	head := make([]byte, 512)
	n, err := io.ReadFull(u, head)
	if err != nil && n == 0 {
		return "", err
	}
	if _, err := u.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	head = head[:n]
	found, _, _ := mime.ParseMediaType(http.DetectContentType(head))
	if bytes.HasPrefix(head, []byte("OggS")) {
		return "audio/ogg", nil
	}
	if found != "application/octet-stream" && found != "text/plain" && found != "application/zip" && found != "" {
		return found, nil
	}
	if named, _, _ := mime.ParseMediaType(mime.TypeByExtension(strings.ToLower(path.Ext(u.name)))); named != "" {
		return named, nil
	}
	if said, _, err := mime.ParseMediaType(u.media); err == nil && said != "application/octet-stream" {
		return said, nil
	}
	return found, nil
}

// checked makes sure that a request can be sent before its file is looked at.
func (r *request) checked() error {
	_ = r.address("phone")
	_ = r.extras()
	return r.err()
}

func (a *API) sendImage(r *request) (string, any, error) {
	m := whatsapp.Media{Kind: messages.Image, Caption: r.text("caption"), ViewOnce: r.flag("view_once", false)}
	edge := pictures.Standard
	shrink := r.flag("compress", true)
	if r.flag("hd", false) {
		shrink, edge = true, pictures.High
	}
	if err := r.checked(); err != nil {
		return "", nil, err
	}
	file, err := a.media(r, "image", maxImage)
	if err != nil {
		return "", nil, err
	}
	if err := picture(r.Context(), file, &m, shrink, edge); err != nil {
		return "", nil, inField("image", err)
	}
	return a.send(r, "Image", m)
}

// picture fills in what an image is made of.
func picture(ctx context.Context, file *upload, m *whatsapp.Media, shrink bool, edge int) error {
	release, err := pictures.Take(ctx)
	if err != nil {
		return err
	}
	defer release()
	p, err := pictures.Open(file)
	if err != nil {
		return err
	}
	if m.Thumbnail, err = p.Thumbnail(); err != nil {
		return err
	}
	width, height := p.Size()
	m.File, m.MIME = file, "image/"+p.Format
	// WhatsApp shows nothing but JPEG and PNG as an image.
	if small := max(width, height) <= edge && file.size < 300<<10 && p.Format == "jpeg"; shrink && !small || p.Format == "gif" || p.Format == "webp" {
		made, w, h, err := p.JPEG(edge, quality)
		if err != nil {
			return err
		}
		m.File, m.MIME, width, height = bytes.NewReader(made), "image/jpeg", w, h
	} else if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	m.Width, m.Height = uint32(width), uint32(height)
	return nil
}

func (a *API) sendFile(r *request) (string, any, error) {
	m, name := whatsapp.Media{Kind: messages.Document, Caption: r.text("caption")}, clean(r.text("filename"))
	if err := r.checked(); err != nil {
		return "", nil, err
	}
	file, err := a.media(r, "file", maxFile)
	if err != nil {
		return "", nil, err
	}
	if m.MIME, err = file.kind(); err != nil {
		return "", nil, err
	}
	m.File, m.Name = file, cmp.Or(name, file.name, "file")
	return a.send(r, "Document", m)
}

func (a *API) sendVideo(r *request) (string, any, error) {
	m := whatsapp.Media{
		Kind: messages.Video, Caption: r.text("caption"), ViewOnce: r.flag("view_once", false), Loop: r.flag("gif_playback", false),
	}
	compress, hd := r.flag("compress", false), r.flag("hd", false)
	if err := r.checked(); err != nil {
		return "", nil, err
	}
	file, err := a.media(r, "video", maxVideo)
	if err != nil {
		return "", nil, err
	}
	if m.MIME, err = file.kind(); err != nil {
		return "", nil, err
	}
	if !strings.HasPrefix(m.MIME, "video/") {
		return "", nil, fault.InField("video", "video: this is no video. Use an MP4 file.")
	}
	m.File = file
	if compress || hd {
		name, edge, quality := "compress", videoEdge, 28
		if hd {
			name, edge, quality = "hd", videoHigh, 23
		}
		small, err := a.o.FFmpeg.Video(r.Context(), file, edge, quality)
		if err != nil {
			return "", nil, inField(name, err)
		}
		defer small.Close()
		m.File, m.MIME = small, "video/mp4"
	}
	if a.o.FFmpeg != nil {
		if m.Thumbnail, err = a.o.FFmpeg.Still(r.Context(), m.File, thumbEdge); err != nil {
			a.o.Log.Debug("no still of a video", "error", err)
		}
		if _, err := m.File.Seek(0, io.SeekStart); err != nil {
			return "", nil, err
		}
	}
	return a.send(r, "Video", m)
}

func (a *API) sendAudio(r *request) (string, any, error) {
	m := whatsapp.Media{Kind: messages.Audio, Voice: r.flag("ptt", false), ViewOnce: r.flag("view_once", false)}
	if err := r.checked(); err != nil {
		return "", nil, err
	}
	file, err := a.media(r, "audio", maxFile)
	if err != nil {
		return "", nil, err
	}
	if m.MIME, err = file.kind(); err != nil {
		return "", nil, err
	}
	m.File = file
	seconds, isOpus, err := opus(file)
	switch {
	case err != nil:
		return "", nil, err
	case isOpus:
		m.MIME, m.Seconds = "audio/ogg; codecs=opus", seconds
	case m.Voice:
		note, err := a.o.FFmpeg.Voice(r.Context(), file)
		if err != nil {
			return "", nil, inField("ptt", err)
		}
		defer note.Close()
		m.File, m.MIME = note, "audio/ogg; codecs=opus"
		if m.Seconds, _, err = opus(note); err != nil {
			return "", nil, err
		}
	case !strings.HasPrefix(m.MIME, "audio/") && m.MIME != "video/mp4" && m.MIME != "application/ogg":
		return "", nil, fault.InField("audio", "audio: this is no audio file.")
	case m.MIME == "video/mp4": // how a sound without a picture looks from its first bytes
		m.MIME = "audio/mp4"
	case m.MIME == "audio/wave":
		m.MIME = "audio/wav"
	}
	return a.send(r, "Audio", m)
}

// opus says whether a file is Opus in Ogg, and how long it plays.
func opus(file io.ReadSeeker) (seconds uint32, ok bool, err error) {
	head := make([]byte, 256)
	n, err := io.ReadFull(file, head)
	if err != nil && n == 0 {
		return 0, false, err
	}
	ok = bytes.HasPrefix(head[:n], []byte("OggS")) && bytes.Contains(head[:n], []byte("OpusHead"))
	if ok {
		size, err := file.Seek(0, io.SeekEnd)
		if err != nil {
			return 0, false, err
		}
		if _, err := file.Seek(max(0, size-64<<10), io.SeekStart); err != nil { // no page is longer
			return 0, false, err
		}
		tail, err := io.ReadAll(file)
		if err != nil {
			return 0, false, err
		}
		if last := bytes.LastIndex(tail, []byte("OggS")); last >= 0 && last+14 <= len(tail) {
			samples := binary.LittleEndian.Uint64(tail[last+6:])
			if s := samples / 48000; s < 24*3600 {
				seconds = max(1, uint32(s))
			}
		}
	}
	_, err = file.Seek(0, io.SeekStart)
	return seconds, ok, err
}

func (a *API) sendSticker(r *request) (string, any, error) {
	if err := r.checked(); err != nil {
		return "", nil, err
	}
	file, err := a.media(r, "sticker", maxImage)
	if err != nil {
		return "", nil, err
	}
	m := whatsapp.Media{Kind: messages.Sticker, File: file, MIME: "image/webp", Width: 512, Height: 512}
	ready, animated := pictures.IsSticker(file)
	m.Animated = animated
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return "", nil, err
	}
	if !ready {
		made, err := sticker(r.Context(), file)
		if err != nil {
			return "", nil, inField("sticker", err)
		}
		m.File = bytes.NewReader(made)
	}
	return a.send(r, "Sticker", m)
}

func sticker(ctx context.Context, file *upload) ([]byte, error) {
	release, err := pictures.Take(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	p, err := pictures.Open(file)
	if err != nil {
		return nil, err
	}
	return p.Sticker()
}
