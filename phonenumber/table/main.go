// Command table writes countries.txt, the table of package phonenumber, from the metadata of
// libphonenumber that github.com/nyaruka/phonenumbers has.
package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

func main() {
	all, err := phonenumbers.MetadataCollection()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	countries := slices.Clone(all.GetMetadata())
	slices.SortFunc(countries, func(a, b *phonenumbers.PhoneMetadata) int {
		return cmp.Or(cmp.Compare(a.GetCountryCode(), b.GetCountryCode()), strings.Compare(a.GetId(), b.GetId()))
	})
	var table strings.Builder
	for _, c := range countries {
		main := phonenumbers.GetRegionCodeForCountryCode(int(c.GetCountryCode())) == c.GetId()
		mark := "="
		if main {
			mark = "+"
		}
		d := c.GetGeneralDesc()
		row(&table, fmt.Sprintf("%s%d %s", mark, c.GetCountryCode(), c.GetId()), c.GetInternationalPrefix(), c.GetNationalPrefixForParsing(),
			c.GetNationalPrefixTransformRule(), d.GetNationalNumberPattern(), lengths(d.GetPossibleLength()), lengths(d.GetPossibleLengthLocalOnly()))
		if !main {
			continue // numbers are written as in the main country of their code
		}
		formats := c.GetIntlNumberFormat()
		if len(formats) == 0 {
			formats = c.GetNumberFormat()
		}
		for _, f := range formats {
			leading := f.GetLeadingDigitsPattern() // the last one says the most
			if len(leading) == 0 {
				leading = []string{""}
			}
			row(&table, ":", f.GetPattern(), leading[len(leading)-1], f.GetFormat())
		}
	}
	if err := os.WriteFile("countries.txt", []byte(table.String()), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func row(table *strings.Builder, fields ...string) {
	table.WriteString(strings.Join(fields, "\t") + "\n")
}

func lengths(list []int32) string {
	words := make([]string, len(list))
	for i, n := range list {
		words[i] = strconv.Itoa(int(n))
	}
	return strings.Join(words, ",")
}
