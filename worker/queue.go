package worker

import (
	"log/slog"
	"path/filepath"

	"switchboard/control"
	"switchboard/messages"
	"switchboard/sending"
	"switchboard/whatsapp"
)

// newQueue returns the queue of what the number is to send.
func newQueue(doc control.StartDocument, db handles, session *whatsapp.Session, log *slog.Logger) *sending.Queue {
	book := sending.Book{DB: db.main}
	if db.files != nil {
		book.Sync = db.files.main.Sync
	}
	if db.lease != nil {
		book.Fence = db.lease.Check
	}
	return sending.New(sending.Options{
		Book: book, Dir: filepath.Join(doc.Dir, "queue"), MessageID: session.NewMessageID, Known: messages.New(db.main).Known, Log: log,
	})
}
