package instances

import (
	"strconv"
	"strings"
	"time"

	"github.com/mozillazg/go-unidecode"
)

// ID names an instance for ever: a slug of its first name, an underscore, the UTC creation
// time, "business_01_20240101120000". Lower-case ASCII letters, digits and underscores, at
// most 48 bytes, so that "whatsapp_" + ID fits PostgreSQL's 63-byte identifiers.
type ID string

const (
	maxID     = 48
	idTime    = "20060102150405"
	emptySlug = "number" // for names without a letter or digit in any script
)

// Valid reports whether id has the form of an id, so that it may be part of a path.
func (id ID) Valid() bool {
	return id != "" && len(id) <= maxID && strings.Trim(string(id), "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// newID makes an id that taken does not know. Two names may give one slug in one second:
// the later one gets a counter, "cafe_2_20240101120000".
func newID(name string, at time.Time, taken func(ID) bool) ID {
	stamp := "_" + at.UTC().Format(idTime)
	slug := slugOf(name)
	for n := 1; ; n++ {
		counter := ""
		if n > 1 {
			counter = "_" + strconv.Itoa(n)
		}
		head := slug[:min(len(slug), maxID-len(stamp)-len(counter))]
		if id := ID(strings.TrimRight(head, "_") + counter + stamp); !taken(id) {
			return id
		}
	}
}

// slugOf spells name in lower-case ASCII letters and digits, words joined by underscores.
// It is never empty.
func slugOf(name string) string {
	words := strings.FieldsFunc(strings.ToLower(unidecode.Unidecode(name)), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	if len(words) == 0 {
		return emptySlug
	}
	return strings.Join(words, "_")
}

// NewID makes the id of a number that is called name and is made at that time; taken knows
// the ids that exist.
func NewID(name string, at time.Time, taken func(ID) bool) ID { return newID(name, at, taken) }
