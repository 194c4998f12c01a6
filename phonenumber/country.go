package phonenumber

import (
	_ "embed"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// table has what the numbers of each country look like, as libphonenumber knows it. It is a
// text that is searched and never unfolded: the pages of the program that hold it are shared
// by all processes, while a library with the same knowledge makes objects of it when a
// process begins, in each of a thousand workers.
//
// A line is a country: "+" for the main one of its code and "=" for others, code, region,
// then what is dialled before international numbers, what before national ones and what
// becomes of it, the pattern of all numbers, their lengths, and the lengths of what is
// dialled locally only. Below a main country follow the ways to write its numbers: pattern,
// leading digits, format.
//
//go:generate go run ./table
//go:embed countries.txt
var table string

// country is one line of the table.
type country struct {
	code           string
	abroad         string // expression for what is dialled before international numbers
	trunk          string // expression for what may stand before national ones
	instead        string // what takes its place, "" for nothing
	pattern        string // expression for all numbers
	lengths, local []int
	formats        string // the lines below
}

// ofRegion finds the country of an ISO 3166 code.
func ofRegion(region string) (country, bool) {
	if len(region) != 2 {
		return country{}, false
	}
	return readAt(find(" " + region + "\t"))
}

// ofCode finds the main country of a calling code.
func ofCode(code string) (country, bool) {
	if at, known := places.Load(code); known {
		return readAt(at.(int))
	}
	at := 0
	if table[:len(code)+2] != "+"+code+" " {
		at = find("\n+" + code + " ")
	}
	if strings.Trim(code, "0123456789") == "" {
		places.Store(strings.Clone(code), at)
	}
	return readAt(at)
}

// places remembers where in the table calling codes are, -1 for nowhere. There are at most a
// thousand, since none is longer than three digits.
var places sync.Map

// find returns where the line begins in which text is, -1 if there is none.
func find(text string) int {
	at := strings.Index(table, text)
	if at < 0 {
		return -1
	}
	return strings.LastIndexByte(table[:at+1], '\n') + 1
}

func readAt(place int) (country, bool) {
	if place < 0 {
		return country{}, false
	}
	return read(place), true
}

// read reads the line that begins there.
func read(at int) country {
	line, rest, _ := strings.Cut(table[at:], "\n")
	f := strings.Split(line, "\t")
	code, _, _ := strings.Cut(f[0][1:], " ")
	end := 0
	for strings.HasPrefix(rest[end:], ":") {
		end += strings.IndexByte(rest[end:], '\n') + 1
	}
	return country{
		code: code, abroad: f[1], trunk: f[2], instead: f[3], pattern: f[4],
		lengths: numbers(f[5]), local: numbers(f[6]), formats: rest[:end],
	}
}

func numbers(list string) (all []int) {
	if list == "" {
		return nil
	}
	for word := range strings.SplitSeq(list, ",") {
		n, _ := strconv.Atoi(word) // what was written by a program
		all = append(all, n)
	}
	return all
}

// split takes the calling code off the digits of an international number.
func split(digits string) (c country, national string, ok bool) {
	for n := 1; n <= 3 && n < len(digits); n++ {
		if c, ok = ofCode(digits[:n]); ok {
			return c, digits[n:], true
		}
	}
	return country{}, "", false
}

// fit is how a number's length suits a country.
type fit int

const (
	fits fit = iota
	tooShort
	localOnly
	tooLong
	between
)

func (c country) fit(national string) fit {
	n, l := len(national), c.lengths
	switch {
	case len(l) == 0:
		return between
	case slices.Contains(c.local, n):
		return localOnly
	case slices.Contains(l, n):
		return fits
	case n < l[0]:
		return tooShort
	case n > l[len(l)-1]:
		return tooLong
	}
	return between
}

// valid says whether a national number is one that the country may have.
func (c country) valid(national string) bool {
	return expression("^(?:" + c.pattern + ")$").MatchString(national)
}

// strip takes off what is dialled before a national number, unless what is left is less of a
// number than before.
func (c country) strip(national string) string {
	if c.trunk == "" || national == "" {
		return national
	}
	trunk := expression("^(?:" + c.trunk + ")")
	groups := trunk.FindStringSubmatchIndex(national)
	if groups == nil {
		return national
	}
	rest := national[groups[1]:]
	if c.instead != "" && groups[len(groups)-2] >= 0 {
		rest = trunk.ReplaceAllString(national, c.instead)
	}
	if c.valid(national) && !c.valid(rest) {
		return national
	}
	return rest
}

// abroadFrom takes off what is dialled in this country before an international number.
func (c country) abroadFrom(digits string) (rest string, ok bool) {
	if c.abroad == "" {
		return digits, false
	}
	at := expression(c.abroad).FindStringIndex(digits)
	if at == nil || at[0] != 0 || strings.HasPrefix(digits[at[1]:], "0") {
		return digits, false
	}
	return digits[at[1]:], true
}

// write puts the spaces into a national number.
func (c country) write(national string) string {
	for line := range strings.SplitSeq(strings.TrimSuffix(c.formats, "\n"), "\n") {
		f := strings.Split(line, "\t")
		if len(f) < 4 {
			continue
		}
		if f[2] != "" && !expression("^(?:"+f[2]+")").MatchString(national) {
			continue
		}
		if way := expression("^(?:" + f[1] + ")$"); way.MatchString(national) {
			return way.ReplaceAllString(national, f[3])
		}
	}
	return national
}

// compiled are the expressions that were needed lately.
var compiled struct {
	sync.Mutex
	all map[string]*regexp.Regexp
}

// A worker needs two for each country that it sends to; the panel more, to write numbers.
const compiledMost = 256

func expression(text string) *regexp.Regexp {
	compiled.Lock()
	defer compiled.Unlock()
	if e := compiled.all[text]; e != nil {
		return e
	}
	if compiled.all == nil || len(compiled.all) == compiledMost {
		compiled.all = map[string]*regexp.Regexp{}
	}
	e := regexp.MustCompile(text)
	compiled.all[text] = e
	return e
}

// Known reports whether region is the ISO 3166 code of a country whose numbers are known.
func Known(region string) bool {
	_, ok := ofRegion(region)
	return ok
}
