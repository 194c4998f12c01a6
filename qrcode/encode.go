package qrcode

import (
	"fmt"

	"rsc.io/qr/coding"
)

// The lowest level of correction gives the largest modules, which is what counts on a
// screen: nothing is smudged there.
const correction = coding.L

// encode returns text's code under the mask that shows the fewest lookalikes of a finder
// pattern, the three squares by which a scanner finds the code. A scanner that takes data
// for a corner reads nothing, however often it looks: without this choice one code in two
// hundred cannot be read by scanners of the widespread ZXing family.
func encode(text string) (*coding.Code, error) {
	content := coding.String(text)
	version := coding.Version(coding.MinVersion)
	for content.Bits(version) > 8*version.DataBytes(correction) {
		if version++; version > coding.MaxVersion {
			return nil, fmt.Errorf("encode %d bytes as a QR code: the text is too long", len(text))
		}
	}
	var best *coding.Code
	fewest := 0
	for mask := range coding.Mask(8) {
		plan, err := coding.NewPlan(version, correction, mask)
		if err != nil {
			return nil, fmt.Errorf("lay out a QR code: %w", err)
		}
		code, err := plan.Encode(content)
		if err != nil {
			return nil, fmt.Errorf("encode %d bytes as a QR code: %w", len(text), err)
		}
		if n := lookalikes(code); best == nil || n < fewest {
			best, fewest = code, n
		}
		if fewest == 0 {
			break
		}
	}
	return best, nil
}

const finder = 7 // modules on the side of a finder pattern

// lookalikes counts the places outside the three corners that look like the middle of a
// finder pattern, from left to right and from top to bottom.
func lookalikes(code *coding.Code) (n int) {
	for y := range code.Size {
		for x := range code.Size {
			left, right, top, bottom := x < finder, x >= code.Size-finder, y < finder, y >= code.Size-finder
			if left && (top || bottom) || right && top {
				continue
			}
			if middle(func(i int) bool { return code.Black(x+i, y) }) && middle(func(i int) bool { return code.Black(x, y+i) }) {
				n++
			}
		}
	}
	return n
}

// middle reports whether a line has the rhythm of a finder pattern around 0: one black, one
// white, three black, one white, one black. Scanners are lenient, so two to five black will
// do in the middle.
func middle(black func(int) bool) bool {
	if !black(0) {
		return false
	}
	from, to := 0, 0
	for black(from - 1) {
		from--
	}
	for black(to + 1) {
		to++
	}
	length, aside := to-from+1, to+from
	return length >= 2 && length <= 5 && -1 <= aside && aside <= 1 &&
		black(from-2) && !black(from-3) && black(to+2) && !black(to+3)
}
