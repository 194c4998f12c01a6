package store

import (
	"slices"
	"testing"
)

func TestImportsAreRemembered(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		for _, jid := range []string{"2:1@s.whatsapp.net", "1:1@s.whatsapp.net", "2:1@s.whatsapp.net"} {
			if err := s.RememberImport(t.Context(), jid); err != nil {
				t.Fatal(err)
			}
		}
		got, err := s.Imported(t.Context())
		if want := []string{"1:1@s.whatsapp.net", "2:1@s.whatsapp.net"}; err != nil || !slices.Equal(got, want) {
			t.Errorf("got %v, %v", got, err)
		}
	})
}
