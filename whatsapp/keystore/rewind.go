package keystore

import (
	"context"
	"database/sql"
	"fmt"

	"go.mau.fi/whatsmeow/store/sqlstore"

	"switchboard/engine"
	"switchboard/whatsapp/serial"
)

var markSessions = map[string]string{
	engine.SQLite: `UPDATE "whatsmeow_sessions" SET "session" = CAST('` + serial.Rewound + `' || CAST("session" AS TEXT) AS BLOB)
		WHERE substr("session", 1, 1) <> CAST('` + serial.Rewound + `' AS BLOB)`,
	engine.Postgres: `UPDATE "whatsmeow_sessions" SET "session" = convert_to('` + serial.Rewound + `', 'UTF8') || "session"
		WHERE substr("session", 1, 1) <> convert_to('` + serial.Rewound + `', 'UTF8')`,
}

// Rewind prepares keys that may be older than what their device has sent, as those of a backup
// are. Who gets a message whose key was used before drops it and confirms it; so whatever is
// sent next gets new keys, of people (see serial.Rewound) and of groups, whose members get them with
// it. What comes in is read with the keys that are there.
func Rewind(ctx context.Context, db *sql.DB, name string) error {
	devices, err := sqlstore.NewWithDB(db, dialects[name], nil).GetAllDevices(ctx)
	if err != nil {
		return fmt.Errorf("rewind keys: %w", err)
	}
	if _, err := db.ExecContext(ctx, markSessions[name]); err != nil {
		return fmt.Errorf("rewind keys: %w", err)
	}
	for _, d := range devices {
		_, err := db.ExecContext(ctx, `DELETE FROM "whatsmeow_sender_keys" WHERE "our_jid" = $1 AND "sender_id" = $2`,
			d.GetJID().String(), d.GetLID().SignalAddress().String())
		if err != nil {
			return fmt.Errorf("rewind keys: %w", err)
		}
	}
	return nil
}
