package messages

import (
	"context"
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
	}
	all, err := m.query(ctx, `substr(m."text", 1, CAST($1 AS INTEGER))`,
		`WHERE `+condition+` AND `+shown+` AND m."revoked_at" = 0 ORDER BY m."at" DESC, m."seq" DESC LIMIT $3`, MaxText+1, value, limit)
	return cut(all), err
}

func wordsOf(query string) []string {
	words := strings.FieldsFunc(clean(query), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r)
	})
	return words[:min(len(words), maxWords)]
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
