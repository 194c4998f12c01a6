package instances

import (
	"strings"
	"testing"
	"time"
)

func TestNewID(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 1, 1, 13, 0, 0, 0, time.FixedZone("CET", 3600))
	free := func(ID) bool { return false }
	for name, want := range map[string]ID{
		"Business 01":            "business_01_20240101120000",
		"  --Café & Crème--  ":   "cafe_creme_20240101120000",
		"Продажи":                "prodazhi_20240101120000",
		"مبيعات":                 "mby_t_20240101120000",
		"销售 北京":                  "xiao_shou_bei_jing_20240101120000",
		"Ελλάδα":                 "ellada_20240101120000",
		"İstanbul":               "istanbul_20240101120000",
		"🙂🚀":                     "number_20240101120000",
		"___":                    "number_20240101120000",
		"\xff\xfe":               "number_20240101120000",
		strings.Repeat("ab", 60): "ababababababababababababababababa_20240101120000",
	} {
		got := newID(name, at, free)
		if got != want {
			t.Errorf("newID(%q) = %q, want %q", name, got, want)
		}
		if !got.Valid() {
			t.Errorf("newID(%q) = %q is not valid", name, got)
		}
	}
}

func TestNewIDIsUniqueWithinASecond(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC)
	seen := map[ID]bool{}
	for _, name := range []string{"Café", "Cafe!", "CAFE", strings.Repeat("x", 80)} {
		for range 12 {
			id := newID(name, at, func(id ID) bool { return seen[id] })
			if seen[id] || !id.Valid() {
				t.Fatalf("newID(%q) = %q: repeated or not valid", name, id)
			}
			seen[id] = true
		}
	}
	if !seen["cafe_2_20240101120000"] {
		t.Errorf("the second of one second has no counter: %v", seen)
	}
}

func TestValidID(t *testing.T) {
	t.Parallel()
	for id, want := range map[ID]bool{
		"": false, "..": false, "a/b": false, "A_1": false, "a b": false, "ä_1": false,
		"a_20240101120000": true, ID(strings.Repeat("a", 48)): true, ID(strings.Repeat("a", 49)): false,
	} {
		if got := id.Valid(); got != want {
			t.Errorf("%q.Valid() = %v", id, got)
		}
	}
}
