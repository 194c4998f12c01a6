package messages

import (
	"context"
	"database/sql"
	"time"

	"switchboard/engine"
)

// Media is a file that belongs to a message: what it is, what it takes to fetch it, and where
// it lies.
type Media struct {
	Type       Type
	MIME       string
	Name       string // as the sender calls it; nothing on disk has this name
	Size       int64
	Seconds    int // of audio and video
	SHA256     []byte
	EncSHA256  []byte
	Key        []byte
	DirectPath string
	URL        string

	// File is the name under which it is kept, made by this program; it is known before the
	// file is there. State tells whether it is, and Place where it lies: "" is the number's
	// folder, else settings.Bucket.Place.
	File     string
	State    MediaState
	Place    string
	Tries    int
	NextAt   time.Time
	Error    string
	StoredAt time.Time
	AskedAt  time.Time // when the phone was asked for it, zero if it was not
}

// Type of media, in the words of go-whatsapp-web-multidevice.
type Type string

// The types.
const (
	ImageFile    Type = "image"
	VideoFile    Type = "video"
	VideoNote    Type = "video_note"
	AudioFile    Type = "audio"
	VoiceNote    Type = "ptt"
	DocumentFile Type = "document"
	StickerFile  Type = "sticker"
)

// MediaState is what has become of media.
type MediaState string

// The states.
const (
	Waiting MediaState = "waiting" // to be fetched
	Left    MediaState = "left"    // with WhatsApp, until somebody asks
	Stored  MediaState = "stored"
	Gone    MediaState = "gone"    // WhatsApp has it no more
	Removed MediaState = "removed" // was stored, and deleted as the settings say
)

// File tells which message media belong to.
type File struct {
	Chat, ID, Sender string
	Media
}

const mediaColumns = `d."type", d."mime", d."name", d."size", d."seconds", d."sha256", d."enc_sha256", d."key", d."direct_path", d."url",
	d."file", d."state", d."place", d."tries", d."next_at", d."error", d."stored_at", d."asked_at"`

// mediaRow is a row of media that may be missing.
type mediaRow struct {
	kind, mime, name, path, url, file, state, place, error sql.NullString
	size, seconds, tries, next, stored, asked              sql.NullInt64
	sha, enc, key                                          []byte
}

func (r *mediaRow) places() []any {
	return []any{
		&r.kind, &r.mime, &r.name, &r.size, &r.seconds, &r.sha, &r.enc, &r.key, &r.path, &r.url,
		&r.file, &r.state, &r.place, &r.tries, &r.next, &r.error, &r.stored, &r.asked,
	}
}

func (r *mediaRow) media() *Media {
	if !r.file.Valid {
		return nil
	}
	return &Media{
		Type: Type(r.kind.String), MIME: r.mime.String, Name: r.name.String, Size: r.size.Int64, Seconds: int(r.seconds.Int64),
		SHA256: r.sha, EncSHA256: r.enc, Key: r.key, DirectPath: r.path.String, URL: r.url.String,
		File: r.file.String, State: MediaState(r.state.String), Place: r.place.String, Tries: int(r.tries.Int64),
		NextAt: moment(r.next.Int64), Error: r.error.String, StoredAt: moment(r.stored.Int64), AskedAt: moment(r.asked.Int64),
	}
}

// insertMedia takes a message that is cleaned.
func insertMedia(ctx context.Context, tx *sql.Tx, msg Message) error {
	d := msg.Media
	_, err := tx.ExecContext(ctx, `INSERT INTO "media" ("chat", "id", "sender", "type", "mime", "name", "size", "seconds",
			"sha256", "enc_sha256", "key", "direct_path", "url", "file", "state", "place", "next_at", "stored_at")
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) ON CONFLICT DO NOTHING`,
		msg.Chat, msg.ID, msg.Sender, string(d.Type), clean(d.MIME), clean(d.Name), d.Size, d.Seconds,
		d.SHA256, d.EncSHA256, d.Key, clean(d.DirectPath), clean(d.URL), d.File, string(d.State), d.Place, engine.Millis(d.NextAt), engine.Millis(d.StoredAt))
	return err
}

// AddMedia stores what a message that is stored already has to fetch, unless it is known.
func (m *Messages) AddMedia(ctx context.Context, f File) error {
	return m.transact(ctx, "store media", func(tx *sql.Tx) error {
		d := f.Media
		return insertMedia(ctx, tx, Message{Chat: f.Chat, ID: f.ID, Sender: f.Sender, Media: &d}.cleaned())
	})
}

// WaitingMedia returns up to limit media that are due to be fetched, those that wait longest
// first, and when the next one is due after those; zero if none is.
func (m *Messages) WaitingMedia(ctx context.Context, now time.Time, limit int) (due []File, next time.Time, err error) {
	due, err = m.files(ctx, `WHERE d."state" = 'waiting' AND d."next_at" <= $1 ORDER BY d."next_at" LIMIT $2`, now.UnixMilli(), limit)
	if err != nil {
		return nil, time.Time{}, err
	}
	next, err = m.nextMedia(ctx, `"state" = 'waiting'`, now)
	return due, next, err
}

// MediaOf returns the media of a message; a fault.NotFound if it has none.
func (m *Messages) MediaOf(ctx context.Context, chat, id string) (File, error) {
	return one(m.files(ctx, `WHERE d."chat" = $1 AND d."id" = $2`, clean(chat), clean(id)))
}

// MediaNamed returns the media with that file name; a fault.NotFound if there are none.
func (m *Messages) MediaNamed(ctx context.Context, file string) (File, error) {
	return one(m.files(ctx, `WHERE d."file" = $1`, clean(file)))
}

func one(all []File, err error) (File, error) {
	if err == nil && len(all) == 0 {
		err = notFound("read media", sql.ErrNoRows)
	}
	if err != nil {
		return File{}, err
	}
	return all[0], nil
}

func (m *Messages) files(ctx context.Context, rest string, args ...any) ([]File, error) {
	return engine.All(ctx, m.db, "read media", func(row engine.Row) (f File, err error) {
		var r mediaRow
		err = row.Scan(append([]any{&f.Chat, &f.ID, &f.Sender}, r.places()...)...)
		if err == nil {
			f.Media = *r.media()
		}
		return f, err
	}, `SELECT d."chat", d."id", d."sender", `+mediaColumns+` FROM "media" d `+rest, args...)
}

// SetMedia stores what became of media: State, Place, Tries, NextAt, Error, StoredAt, AskedAt, and
// where they can be had now (DirectPath, URL) and Size. It tells whether they still are to be
// kept: the message may have been deleted.
func (m *Messages) SetMedia(ctx context.Context, f File) (kept bool, err error) {
	err = m.write(ctx, "store the state of media", nil, func(tx *sql.Tx) (bool, error) {
		kept, err = engine.Changed(tx.ExecContext(ctx, `UPDATE "media" SET "state" = $1, "place" = $2, "tries" = $3, "next_at" = $4, "error" = $5,
				"stored_at" = $6, "direct_path" = $7, "url" = $8, "size" = $9, "asked_at" = $10 WHERE "file" = $11`,
			string(f.State), f.Place, f.Tries, engine.Millis(f.NextAt), clean(f.Error), engine.Millis(f.StoredAt), clean(f.DirectPath), clean(f.URL), f.Size, engine.Millis(f.AskedAt), f.File))
		return kept, err
	})
	return kept, err
}
