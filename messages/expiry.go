package messages

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
)

// maxExpiries is of how many chats it is remembered when their messages disappear.
const maxExpiries = 256

// expiries remembers, for messages that are sent, what is seldom changed and would have to be
// read for each of them. Whoever changes it has everything forgotten afterwards.
type expiries struct {
	mu    sync.Mutex
	round int // how often everything was forgotten
	known map[string]uint32
}

func (e *expiries) of(chat string) (seconds uint32, known bool, round int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	seconds, known = e.known[chat]
	return seconds, known, e.round
}

// learn remembers what was read in a round, if it still is that round.
func (e *expiries) learn(chat string, seconds uint32, round int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if round != e.round {
		return
	}
	if e.known == nil || len(e.known) >= maxExpiries {
		e.known = map[string]uint32{}
	}
	e.known[chat] = seconds
}

func (e *expiries) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.round++
	clear(e.known)
}

// Expiry returns after how many seconds messages of a chat disappear, 0 if they do not.
func (m *Messages) Expiry(ctx context.Context, chat string) (seconds uint32, err error) {
	chat = clean(chat)
	seconds, known, round := m.expiries.of(chat)
	if known {
		return seconds, nil
	}
	err = m.db.QueryRowContext(m.brief(ctx), `SELECT "ephemeral" FROM "chats" WHERE "jid" = $1`, chat).Scan(&seconds)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("read a chat: %w", err)
	}
	m.expiries.learn(chat, seconds, round)
	return seconds, nil
}
