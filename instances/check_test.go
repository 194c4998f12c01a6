package instances

import (
	"testing"

	"switchboard/fault"
)

func TestNamesThatMislead(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"\u200b\u200b", "\u2060", "\ufeff \u200d", "\u3164", "\u2800\u2800", "\u00ad", "\u0301", "\ufe0f",
		"\u202eyortnuoc", "Sales\u202d", "a\u2066b\u2069", "\u200fSales",
	} {
		if got, err := CheckName(name); fault.FieldOf(err) != "name" || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%+q: %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"👩\u200d👩\u200d👧", "❤\ufe0f", "מכירות", "فروش\u200cها", "e\u0301t", "-", "1"} {
		if got, err := CheckName(name); err != nil || got != name {
			t.Errorf("%+q: %q, %v", name, got, err)
		}
	}
}

func TestEveryWrongFieldOfANewNumber(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		_, err := w.Create(t.Context(), owner, New{Name: "", Phone: "call me"})
		if got := fault.Fields(err); len(got) != 2 || got[0].Field != "name" || got[1].Field != "phone" {
			t.Errorf("%v", err)
		}
	})
}
