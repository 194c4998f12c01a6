package main

import (
	"runtime/debug"

	"github.com/nyaruka/phonenumbers"
)

// forgetPhoneNumbers empties the tables with the phone numbers of all countries. Their
// package fills them before main begins, in every process of this one binary, and only the
// panel reads them: to a worker they are a megabyte, which a thousand workers have a
// thousand times.
func forgetPhoneNumbers() {
	all, err := phonenumbers.MetadataCollection()
	if err == nil {
		for _, country := range all.GetMetadata() {
			country.Reset() // the package's own maps lead to the very same
		}
	}
	short, err := phonenumbers.ShortNumberMetadataCollection()
	if err == nil {
		for _, country := range short.GetMetadata() {
			country.Reset()
		}
	}
	debug.FreeOSMemory()
}
