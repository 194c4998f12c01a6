package instances

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"switchboard/fault"
)

const maxName = 80 // characters

// CheckName returns the name of a number as it is stored: valid, trimmed, spaces folded. A
// name of which nothing can be seen, or that shows in another order than it is written, is
// refused: people tell numbers apart by it.
// The error is a fault that belongs to the field "name".
func CheckName(name string) (string, error) {
	if !utf8.ValidString(name) {
		return "", fault.InField("name", "The name has characters that cannot be read. Type it again.")
	}
	for _, r := range name {
		switch {
		case unicode.IsControl(r) && !unicode.IsSpace(r):
			return "", fault.InField("name", "The name has characters that cannot be shown. Type it again.")
		case unicode.Is(unicode.Bidi_Control, r):
			return "", fault.InField("name", "The name has invisible characters that turn the direction of writing round. Type it again without them.")
		}
	}
	name = strings.Join(strings.Fields(name), " ")
	switch n := utf8.RuneCountInString(name); {
	case n == 0:
		return "", fault.InField("name", "Give the number a name, for example \"Support\".")
	case strings.IndexFunc(name, visible) < 0:
		return "", fault.InField("name", "Nothing of this name can be seen. Give the number a name, for example \"Support\".")
	case n > maxName:
		return "", fault.InField("name", "The name is too long. Use at most 80 characters.")
	}
	return name, nil
}

// visible reports whether r by itself leaves ink on a page. Joiners and marks belong in a
// name, beside something that does.
func visible(r rune) bool {
	const blankBraille = '\u2800'
	return r != blankBraille && !unicode.In(r, unicode.Z, unicode.M, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point)
}

// CheckPhone returns the digits of a phone number in international form. Spaces, dots,
// dashes, brackets and a leading plus are allowed on the way in. Whether such a number
// exists is not its business. The error is a fault that belongs to the field "phone".
func CheckPhone(phone string) (string, error) {
	digits := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t.-()/\u00a0", r) {
			return -1
		}
		return r
	}, strings.TrimSpace(phone))
	digits = strings.TrimPrefix(digits, "+")
	if len(digits) < 7 || len(digits) > 15 || strings.Trim(digits, "0123456789") != "" || digits[0] == '0' {
		return "", fault.InField("phone", "This is not a phone number. Use the international form, for example +49 170 1234567.")
	}
	return digits, nil
}
