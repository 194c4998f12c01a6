package archive

import (
	"bytes"
	"compress/gzip"
	"errors"
	"testing"
)

// A backup of some hundred kilobytes that unfolds into far more than that is given up as soon
// as a line is longer than any real one.
func TestABombIsGivenUp(t *testing.T) {
	t.Parallel()
	k := Random("0123456789abcdef0123456789abcdef")
	var file bytes.Buffer
	sealed, err := k.encrypt(&file)
	if err != nil {
		t.Fatal(err)
	}
	zipped, err := gzip.NewWriterLevel(sealed, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	piece := make([]byte, 1<<20)
	for range maxLine>>20 + 64 {
		if _, err := zipped.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(zipped.Close(), sealed.Close()); err != nil {
		t.Fatal(err)
	}
	if file.Len() > maxLine>>5 {
		t.Fatalf("the bomb has %d bytes", file.Len())
	}
	left := bytes.NewReader(file.Bytes())
	if _, err := NewReader(left, k); !errors.Is(err, ErrDamaged) {
		t.Fatalf("got %v", err)
	}
	if left.Len() == 0 {
		t.Error("all of it was unfolded")
	}
}
