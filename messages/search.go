package messages

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"switchboard/engine"
)

// maxWords is how many words of a search count.
const maxWords = 20

// Search returns up to limit messages whose text has, for every word of query, a word that
// begins with it, in any case and order; newest first, as Latest returns them. (A PostgreSQL
// database with the locale C knows upper and lower case of ASCII alone.) In scripts that
// write no spaces between words, and where query has no letter at all, it is enough
// that query stands somewhere in the text; that takes long where there are many messages.
func (m *Messages) Search(ctx context.Context, query string, limit int) ([]Message, error) {
	words := wordsOf(query)
	if strings.TrimSpace(query) == "" {
		return nil, nil
	}
	condition, value := `lower(m."text") LIKE $2 ESCAPE '\'`, like(strings.TrimSpace(query))
	if len(words) > 0 && !strings.ContainsFunc(query, unspaced) {
		condition, value = matches[m.engine].condition, matches[m.engine].join(words)
		fresh, err := m.freshWith(ctx, words)
		if err != nil {
			return nil, fmt.Errorf("search messages: %w", err)
		}
		if len(fresh) > 0 {
			condition = `(` + condition + ` OR m."seq" IN (` + strings.Join(fresh, ", ") + `))`
		}
	}
	all, err := m.query(ctx, `substr(m."text", 1, CAST($1 AS INTEGER))`,
		`WHERE `+condition+` AND `+shown+` AND m."revoked_at" = 0 ORDER BY m."at" DESC, m."seq" DESC LIMIT $3`, MaxText+1, value, limit)
	return cut(all), err
}

func wordsOf(query string) []string {
	words := split(clean(query))
	return words[:min(len(words), maxWords)]
}

// split returns the words of a text.
func split(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r)
	})
}

// matches says how each engine finds words; the index of either is in the migrations, and
// the expression here has to be the same.
var matches = map[string]struct {
	condition string
	join      func(words []string) string
}{
	engine.SQLite: {
		`m."seq" IN (SELECT "docid" FROM "words" WHERE "words" MATCH $2)`,
		func(words []string) string { return strings.ToLower(strings.Join(words, "* ")) + "*" },
	},
	engine.Postgres: {
		`to_tsvector('simple', translate(left(m."text", 60000), '!"#$%&''()*+,-./:;<=>?@[\]^_` + "`" + `{|}~', '                                ')) @@ to_tsquery('simple', $2)`,
		func(words []string) string {
			typed := strings.Join(words, ":* & ") + ":*"
			if lower := strings.ToLower(typed); lower != typed {
				return lower + " | " + typed
			}
			return typed
		},
	},
}

// unspaced tells whether r is of a script that writes words without spaces between them.
func unspaced(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar, unicode.Tibetan)
}

// fresh are the messages whose words are not in the index of SQLite yet.
const fresh = `FROM "messages" WHERE "seq" > (SELECT coalesce(max("docid"), 0) FROM "words_docsize") AND "text" <> ''`

// Putting words into the index costs little more for many messages than for one, so that many
// gather, which a search then looks through. After a restore there may be any number.
const (
	fewWords  = 64
	mostWords = 5000
)

// unindexed counts a message with a text, and has words put into the index when there
// are enough. It is called within the transaction that stores the message.
func (m *Messages) unindexed(ctx context.Context, tx *sql.Tx) error {
	if m.engine != engine.SQLite {
		return nil
	}
	if m.fresh++; m.fresh < fewWords {
		return nil
	}
	done, err := tx.ExecContext(ctx, `INSERT INTO "words" ("docid", "text") SELECT "seq", "text" `+fresh+` ORDER BY "seq" LIMIT $1`, mostWords)
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n == mostWords {
		return err
	}
	m.fresh = 0 // should the transaction be undone, there are some more the next time
	return nil
}

// freshWith returns the numbers of the messages that are not in the index and have, for each of
// words, one that begins with it.
func (m *Messages) freshWith(ctx context.Context, words []string) (found []string, err error) {
	if m.engine != engine.SQLite {
		return nil, nil
	}
	err = engine.Each(ctx, m.db, "read new words", func(r engine.Row) error {
		var seq int64
		var text string
		err := r.Scan(&seq, &text)
		if err == nil && has(split(strings.ToLower(text)), words) {
			found = append(found, strconv.FormatInt(seq, 10))
		}
		return err
	}, `SELECT "seq", "text" `+fresh)
	return found, err
}

// has says whether, for each of beginnings, one of words begins with it.
func has(words, beginnings []string) bool {
	for _, b := range beginnings {
		b = strings.ToLower(b)
		if !slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, b) }) {
			return false
		}
	}
	return true
}
