// Package phonenumber reads phone numbers as people write them.
//
// It asks whether a number of that country can be this long, not whether it is in use: only
// WhatsApp knows that.
package phonenumber

import (
	"strings"

	"switchboard/fault"
)

// punctuation is what may stand between the digits.
const punctuation = " \t()-./\u00a0\u2011"

// Strip returns text without what may stand between and before digits.
func Strip(text string) string {
	return strings.Map(func(c rune) rune {
		if c == '+' || strings.ContainsRune(punctuation, c) {
			return -1
		}
		return c
	}, text)
}

// Parse returns the digits of a phone number in international form, country code first and
// no plus. Numbers of region, an ISO 3166 code, may be written as they are dialled there; ""
// is no region. The error is a fault that says what is wrong.
func Parse(text, region string) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return "", fault.New(fault.Invalid, "Enter a phone number.")
	}
	if strings.Trim(strings.TrimPrefix(text, "+"), "0123456789"+punctuation) != "" {
		return "", fault.New(fault.Invalid, "This is not a phone number. One looks like +49 170 1234567.")
	}
	digits := Strip(text)
	rest, dialled := strings.CutPrefix(digits, "00")
	switch {
	case strings.HasPrefix(text, "+"):
		return international(digits)
	case dialled:
		return international(rest)
	case strings.HasPrefix(digits, "0"):
		if region == "" {
			return "", fault.New(fault.Invalid, "Begin with the country code instead of 0, for example +49 170 1234567.")
		}
		return national(digits, region)
	}
	whole, err := international(digits)
	if err != nil && region != "" {
		if local, wrong := national(digits, region); wrong == nil {
			return local, nil
		}
	}
	return whole, err
}

func international(digits string) (string, error) {
	c, national, ok := split(digits)
	if !ok || len(digits) <= 2 {
		return "", noNumber()
	}
	return finish(digits, c, c, national)
}

// asWhatsAppHasIt says whether digits are a mobile number of Mexico in the older form, with
// a 1 behind the country code: WhatsApp's addresses still have it.
func asWhatsAppHasIt(digits string) bool {
	return len(digits) == 13 && strings.HasPrefix(digits, "521")
}

// national reads digits as they are dialled in a region.
func national(digits, region string) (string, error) {
	home, ok := ofRegion(region)
	if !ok {
		return "", noNumber()
	}
	if rest, abroad := home.abroadFrom(digits); abroad {
		return international(rest)
	}
	if rest, own := strings.CutPrefix(digits, home.code); own {
		rest = home.strip(rest)
		if !home.valid(digits) && home.valid(rest) || home.fit(digits) == tooLong {
			c, _ := ofCode(home.code)
			return finish(home.code+rest, c, c, rest)
		}
	}
	c, _ := ofCode(home.code)
	return finish(digits, c, home, digits)
}

// shortest and longest are the lengths that a national number has anywhere.
const shortest, longest = 2, 17

// finish returns the number of a country in international form. from is whose prefixes may
// stand before it. A number that WhatsApp has is right as it is.
func finish(digits string, c, from country, national string) (string, error) {
	if len(national) >= shortest {
		rest := from.strip(national)
		if f := from.fit(rest); f == fits || f == tooLong {
			national = rest
		}
	}
	switch {
	case len(national) < shortest || len(national) > longest:
		return "", noNumber()
	case asWhatsAppHasIt(digits):
		return digits, nil
	}
	switch c.fit(national) {
	case fits:
		return c.code + national, nil
	case tooShort, localOnly:
		return "", fault.New(fault.Invalid, "This phone number is too short. Is a digit missing?")
	case tooLong:
		return "", fault.New(fault.Invalid, "This phone number is too long. Is there a digit too many?")
	}
	return "", noNumber()
}

func noNumber() error {
	return fault.New(fault.Invalid, "This is not a phone number. Begin with the country code, for example +49 170 1234567.")
}

// Format returns digits in international form as people write them, "+49 1512 3456789". What
// cannot be a number comes back with a plus sign and otherwise as it is.
func Format(digits string) string {
	c, national, ok := split(digits)
	if !ok || len(digits) <= 2 || strings.Trim(digits, "0123456789") != "" {
		return "+" + digits
	}
	if len(national) >= shortest {
		rest := c.strip(national)
		if f := c.fit(rest); f == fits || f == tooLong {
			national = rest
		}
	}
	if len(national) < shortest || len(national) > longest {
		return "+" + digits
	}
	return "+" + c.code + " " + c.write(national)
}
