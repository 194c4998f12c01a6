package serial

import (
	"bytes"
	"reflect"
	"testing"

	"go.mau.fi/libsignal/state/record"
)

// reader is a serializer that counts what it has to read.
type reader struct {
	record.SessionSerializer
	read int
}

func (c *reader) Serialize(s *record.SessionStructure) []byte {
	return s.SessionState.RootKey
}

func (c *reader) Deserialize(text []byte) (*record.SessionStructure, error) {
	c.read++
	return &record.SessionStructure{SessionState: &record.StateStructure{RootKey: text}}, nil
}

// What a text was made of is known without reading it, for the latest texts and for no other of
// the same letters; and whoever changes what he got changes nothing for the next.
func TestTextsThatWereMadeHereAreNotRead(t *testing.T) {
	t.Parallel()
	inner := &reader{}
	d := &decoded{SessionSerializer: inner}
	var texts [][]byte
	for i := range latest + 1 {
		texts = append(texts, d.Serialize(&record.SessionStructure{SessionState: &record.StateStructure{RootKey: []byte{byte(i), 1}}}))
	}
	for i, text := range texts[1:] {
		for range 2 {
			s, err := d.Deserialize(text)
			if err != nil || !bytes.Equal(s.SessionState.RootKey, []byte{byte(i + 1), 1}) || s.PreviousStates != nil {
				t.Fatalf("text %d: got %+v, %v", i, s, err)
			}
			s.PreviousStates = []*record.StateStructure{s.SessionState}
		}
	}
	if inner.read != 0 {
		t.Errorf("%d were read", inner.read)
	}
	for _, text := range [][]byte{texts[0], bytes.Clone(texts[1]), texts[1][:1]} {
		if s, err := d.Deserialize(text); err != nil || !reflect.DeepEqual(s.SessionState.RootKey, text) {
			t.Errorf("got %+v, %v", s, err)
		}
	}
	large := d.Serialize(&record.SessionStructure{SessionState: &record.StateStructure{RootKey: make([]byte, maxSession+1)}})
	if _, err := d.Deserialize(large); err != nil || inner.read != 4 {
		t.Errorf("%d were read instead of 4, %v", inner.read, err)
	}
}
