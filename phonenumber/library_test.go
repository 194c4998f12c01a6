package phonenumber

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"
)

// library reads a number as the library does that the table comes from.
func library(text, region string) string {
	n, err := phonenumbers.Parse(text, region)
	if err != nil || phonenumbers.IsPossibleNumberWithReason(n) != phonenumbers.IS_POSSIBLE {
		return ""
	}
	return strings.TrimPrefix(phonenumbers.Format(n, phonenumbers.E164), "+")
}

func libraryFormat(digits string) string {
	n, err := phonenumbers.Parse("+"+digits, "")
	if err != nil {
		return "+" + digits
	}
	return phonenumbers.Format(n, phonenumbers.INTERNATIONAL)
}

// examples are numbers of every kind in every country: the library's own, and those with
// digits that were changed, added and lost.
func examples(yield func(region, national string)) {
	random := rand.New(rand.NewPCG(4, 9))
	kinds := []phonenumbers.PhoneNumberType{
		phonenumbers.FIXED_LINE, phonenumbers.MOBILE, phonenumbers.TOLL_FREE, phonenumbers.PREMIUM_RATE, phonenumbers.SHARED_COST,
		phonenumbers.VOIP, phonenumbers.PERSONAL_NUMBER, phonenumbers.PAGER, phonenumbers.UAN, phonenumbers.VOICEMAIL,
	}
	for region := range phonenumbers.GetSupportedRegions() {
		for _, kind := range kinds {
			n := phonenumbers.GetExampleNumberForType(region, kind)
			if n == nil {
				continue
			}
			digits := phonenumbers.GetNationalSignificantNumber(n)
			yield(region, digits)
			for range 5 {
				changed := []byte(digits)
				for range 1 + random.IntN(3) {
					switch at := random.IntN(len(changed)); random.IntN(4) {
					case 0:
						changed = append(changed[:at], changed[at+1:]...)
					case 1:
						changed = append(changed, byte('0'+random.IntN(10)))
					default:
						changed[at] = byte('0' + random.IntN(10))
					}
					if len(changed) == 0 {
						changed = []byte("0")
					}
				}
				yield(region, string(changed))
			}
		}
	}
}

// TestLikeTheLibrary holds what is read and written against the library.
func TestLikeTheLibrary(t *testing.T) {
	t.Parallel()
	seen, wrong := 0, 0
	check := func(what, text, region, got, want string) {
		seen++
		if got != want {
			if wrong++; wrong <= 10 {
				t.Errorf("%s %q in %q: %q, the library says %q", what, text, region, got, want)
			}
		}
	}
	examples(func(region, digits string) {
		home, ok := ofRegion(region)
		if !ok {
			t.Fatalf("%s is not in the table", region)
		}
		whole := home.code + digits
		if !asWhatsAppHasIt(whole) {
			got, _ := international(whole)
			check("read", whole, "", got, library("+"+whole, ""))
		}
		check("write", whole, "", Format(whole), libraryFormat(whole))
		for _, dialled := range []string{digits, "0" + digits, whole, "00" + whole, "8" + digits, "011" + whole} {
			if asWhatsAppHasIt(dialled) || strings.Contains(dialled, "521") {
				continue // older numbers of Mexico are left as WhatsApp has them
			}
			got, _ := national(dialled, region)
			check("read", dialled, region, got, library(dialled, region))
		}
	})
	if seen < 40_000 {
		t.Errorf("only %d were compared", seen)
	}
	t.Logf("%d compared, %d different", seen, wrong)
}

// Numbers that belong to no country are written, too.
func TestLikeTheLibraryWithoutACountry(t *testing.T) {
	t.Parallel()
	for _, digits := range []string{"80012345678", "8835100123456", "870773111632", "999123456789", "1", "12", "123", "", "0123456", "49", "491", strings.Repeat("4", 30)} {
		if got, want := Format(digits), libraryFormat(digits); got != want {
			t.Errorf("%q is written %q, the library writes %q", digits, got, want)
		}
	}
}
