package store

import "testing"

func TestPasswordsAreKept(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		keep := func(sealed string) string {
			t.Helper()
			kept, err := s.KeepPassword(t.Context(), "shop_20240101120000", []byte(sealed))
			if err != nil {
				t.Fatal(err)
			}
			return string(kept)
		}
		if kept := keep("\x00first\xff"); kept != "\x00first\xff" {
			t.Errorf("kept %q", kept)
		}
		if kept := keep("second"); kept != "\x00first\xff" {
			t.Errorf("kept %q", kept)
		}
		for range 2 {
			if err := s.ForgetPassword(t.Context(), "shop_20240101120000"); err != nil {
				t.Fatal(err)
			}
		}
		if kept := keep("third"); kept != "third" {
			t.Errorf("kept %q", kept)
		}
	})
}
