package descriptors

import (
	"iter"

	"google.golang.org/protobuf/encoding/protowire"
)

// field is a field in wire format: as a whole, and what it holds.
type field struct{ whole, value []byte }

// fields are the fields of a message in wire format, which has to be one.
func fields(message []byte) iter.Seq2[protowire.Number, field] {
	return func(yield func(protowire.Number, field) bool) {
		for len(message) > 0 {
			num, kind, tag := protowire.ConsumeTag(message)
			value := message[tag:]
			n := protowire.ConsumeFieldValue(num, kind, value)
			f := field{whole: message[:tag+n], value: value[:n]}
			if kind == protowire.BytesType {
				f.value, _ = protowire.ConsumeBytes(value)
			}
			if !yield(num, f) {
				return
			}
			message = value[n:]
		}
	}
}

// nth is the nth field of a number.
func nth(message []byte, num protowire.Number, n int) []byte {
	for at, f := range fields(message) {
		if at != num {
			continue
		}
		if n == 0 {
			return f.value
		}
		n--
	}
	return nil
}
