// Package phonenumber reads phone numbers as people write them.
//
// It asks whether a number of that country can be this long, not whether it is in use: only
// WhatsApp knows that.
package phonenumber

import (
	"strings"

	"github.com/nyaruka/phonenumbers"

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
	n, err := phonenumbers.Parse("+"+digits, "")
	if err != nil {
		return "", fault.Wrap(fault.Invalid, "This is not a phone number. Begin with the country code, for example +49 170 1234567.", err)
	}
	if asWhatsAppHasIt(digits) {
		return digits, nil
	}
	return possible(n)
}

// asWhatsAppHasIt says whether digits are a mobile number of Mexico in the older form, with
// a 1 behind the country code: WhatsApp's addresses still have it.
func asWhatsAppHasIt(digits string) bool {
	return len(digits) == 13 && strings.HasPrefix(digits, "521")
}

func national(digits, region string) (string, error) {
	n, err := phonenumbers.Parse(digits, region)
	if err != nil {
		return "", fault.Wrap(fault.Invalid, "This is not a phone number. Begin with the country code, for example +49 170 1234567.", err)
	}
	return possible(n)
}

func possible(n *phonenumbers.PhoneNumber) (string, error) {
	switch phonenumbers.IsPossibleNumberWithReason(n) {
	case phonenumbers.IS_POSSIBLE:
		return strings.TrimPrefix(phonenumbers.Format(n, phonenumbers.E164), "+"), nil
	case phonenumbers.TOO_SHORT, phonenumbers.IS_POSSIBLE_LOCAL_ONLY:
		return "", fault.New(fault.Invalid, "This phone number is too short. Is a digit missing?")
	case phonenumbers.TOO_LONG:
		return "", fault.New(fault.Invalid, "This phone number is too long. Is there a digit too many?")
	}
	return "", fault.New(fault.Invalid, "This is not a phone number. Begin with the country code, for example +49 170 1234567.")
}

// Lean leaves of the tables of all countries what Parse needs, for good: how many digits a
// number has there and what is dialled before it. The package that has them fills them
// before main begins, in every process of this one binary, and to a worker they would be a
// megabyte, which a thousand workers have a thousand times.
func Lean() {
	if all, err := phonenumbers.MetadataCollection(); err == nil {
		for _, country := range all.GetMetadata() {
			lean(country) // the package's own maps lead to the very same
		}
	}
	if short, err := phonenumbers.ShortNumberMetadataCollection(); err == nil {
		for _, country := range short.GetMetadata() {
			country.Reset()
		}
	}
}

func lean(c *phonenumbers.PhoneMetadata) {
	kept := &phonenumbers.PhoneMetadata{
		Id: c.Id, CountryCode: c.CountryCode, MainCountryForCode: c.MainCountryForCode, LeadingDigits: c.LeadingDigits,
		InternationalPrefix: c.InternationalPrefix, NationalPrefix: c.NationalPrefix,
		NationalPrefixForParsing: c.NationalPrefixForParsing, NationalPrefixTransformRule: c.NationalPrefixTransformRule,
	}
	if d := c.GetGeneralDesc(); d != nil {
		kept.GeneralDesc = &phonenumbers.PhoneNumberDesc{
			NationalNumberPattern: d.NationalNumberPattern, PossibleLength: d.PossibleLength, PossibleLengthLocalOnly: d.PossibleLengthLocalOnly,
		}
	}
	c.Reset()
	c.Id, c.CountryCode, c.MainCountryForCode, c.LeadingDigits = kept.Id, kept.CountryCode, kept.MainCountryForCode, kept.LeadingDigits
	c.InternationalPrefix, c.NationalPrefix = kept.InternationalPrefix, kept.NationalPrefix
	c.NationalPrefixForParsing, c.NationalPrefixTransformRule = kept.NationalPrefixForParsing, kept.NationalPrefixTransformRule
	c.GeneralDesc = kept.GeneralDesc
}
