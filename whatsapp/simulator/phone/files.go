package phone

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waMmsRetry"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/gcmutil"
	"go.mau.fi/whatsmeow/util/hkdfutil"
	"google.golang.org/protobuf/proto"

	"switchboard/fault"
	"switchboard/whatsapp/simulator"
)

// Expire has the network forget the file of a message, as it does after some weeks. Where
// kept says so, the phone has a copy of its own, which it uploads again when a linked device
// asks for it; otherwise the file was deleted on the phone, too.
func (p *Phone) Expire(ctx context.Context, chat, id string, kept bool) error {
	r, err := p.find(ctx, chat, id)
	if err != nil {
		return err
	}
	file, err := fileOf(r)
	if err != nil {
		return err
	}
	if kept {
		if err := p.keepFile(ctx, file); err != nil {
			return err
		}
	} else if err := os.Remove(p.copyOf(file)); err != nil && !os.IsNotExist(err) {
		return err
	}
	return p.fleet.network.ExpireMedia(file.GetFileEncSHA256())
}

// fileOf returns what a message has to fetch.
func fileOf(r *row) (whatsmeow.DownloadableMessage, error) {
	m := &waE2E.Message{}
	if err := proto.Unmarshal(r.message, m); err != nil {
		return nil, fmt.Errorf("read a message with a file: %w", err)
	}
	switch {
	case m.ImageMessage != nil:
		return m.ImageMessage, nil
	case m.VideoMessage != nil:
		return m.VideoMessage, nil
	case m.AudioMessage != nil:
		return m.AudioMessage, nil
	case m.DocumentMessage != nil:
		return m.DocumentMessage, nil
	case m.StickerMessage != nil:
		return m.StickerMessage, nil
	}
	return nil, fault.New(fault.NotFound, "This message has no file.")
}

// copyOf is where a phone keeps its copy of a file, encrypted as it came.
func (p *Phone) copyOf(file whatsmeow.DownloadableMessage) string {
	return filepath.Join(p.fleet.files, p.number+"-"+hex.EncodeToString(file.GetFileEncSHA256()))
}

func (p *Phone) keepFile(ctx context.Context, file whatsmeow.DownloadableMessage) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://mmg.whatsapp.net"+file.GetDirectPath(), nil)
	if err != nil {
		return err
	}
	res, err := (&http.Client{Transport: p.fleet.network.PhoneTransport()}).Do(r)
	if err != nil {
		return fault.Wrap(fault.Unavailable, "The file could not be fetched from the network.", err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return fault.Wrap(fault.Unavailable, "The file could not be fetched from the network. It may have expired.", err)
	}
	if err := os.MkdirAll(p.fleet.files, 0o700); err != nil {
		return err
	}
	return os.WriteFile(p.copyOf(file), data, 0o600)
}

// giveFiles answers linked devices that ask for the file of a message.
func (p *Phone) giveFiles(ctx context.Context, id types.MessageID) {
	for _, r := range p.fleet.network.MediaRequests(p.number, id) {
		sealed, iv, err := p.giveFile(ctx, r)
		if err == nil {
			err = p.fleet.network.AnswerMediaRequest(p.number, r, sealed, iv)
		}
		if err != nil && ctx.Err() == nil {
			p.log.Warn("phone could not give a file again", "error", err)
		}
	}
}

// giveFile uploads a file once more and returns where it is now, sealed; nothing if the
// phone does not have it.
func (p *Phone) giveFile(ctx context.Context, request simulator.MediaRequest) (sealed, iv []byte, err error) {
	chat := request.Chat.String()
	if request.Chat.Server != types.GroupServer {
		chat = p.person(ctx, request.Chat)
	}
	r, err := p.fleet.book.get(ctx, p.number, chat, request.Message)
	if err != nil || r == nil {
		return nil, nil, err
	}
	file, err := fileOf(r)
	if err != nil {
		return nil, nil, nil //nolint:nilerr // what has no file, such as a revoked message, has none to give
	}
	key := hkdfutil.SHA256(file.GetMediaKey(), nil, []byte("WhatsApp Media Retry Notification"), 32)
	plain, err := gcmutil.Decrypt(key, request.IV, request.Sealed, []byte(request.Message))
	var asked waMmsRetry.ServerErrorReceipt
	if err == nil {
		err = proto.Unmarshal(plain, &asked)
	}
	if err != nil || asked.GetStanzaID() != request.Message {
		return nil, nil, fmt.Errorf("open the request for a file: %w", err)
	}
	data, err := os.ReadFile(p.copyOf(file))
	if os.IsNotExist(err) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if err := p.ready(ctx); err != nil {
		return nil, nil, err
	}
	var up whatsmeow.UploadResponse
	err = p.client.DangerousInternals().RawUpload(ctx, bytes.NewReader(data), uint64(len(data)), file.GetFileEncSHA256(), whatsmeow.GetMediaType(file), false, &up)
	if err != nil {
		return nil, nil, fmt.Errorf("upload a file again: %w", err)
	}
	answer, err := proto.Marshal(&waMmsRetry.MediaRetryNotification{
		StanzaID: &request.Message, DirectPath: &up.DirectPath, Result: waMmsRetry.MediaRetryNotification_SUCCESS.Enum(),
	})
	if err != nil {
		return nil, nil, err
	}
	iv = make([]byte, 12)
	_, _ = rand.Read(iv) // it never fails
	sealed, err = gcmutil.Encrypt(key, iv, answer, []byte(request.Message))
	return sealed, iv, err
}
