package settings

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"switchboard/fault"
)

// Bucket is a place in an S3-compatible store.
type Bucket struct {
	Endpoint  string `json:"endpoint"`         // https://…, without a path
	Region    string `json:"region,omitempty"` // "" is us-east-1, which stores without regions take
	Name      string `json:"name"`
	Prefix    string `json:"prefix,omitempty"` // of all names of files there, without a slash at its end
	AccessKey string `json:"access_key"`
	SecretKey string `json:"secret_key"`
	// PathStyle puts the name of the bucket into the path and not before the host.
	PathStyle bool `json:"path_style,omitempty"`
}

// Set tells whether there is a bucket at all.
func (b Bucket) Set() bool { return b != Bucket{} }

// Place names where files lie, as it is kept with each of them: two buckets of the same place
// hold the same files, whatever their keys are. It has no secret, and is never "".
func (b Bucket) Place() string {
	place := b.Endpoint + "/" + b.Name
	if b.Prefix != "" {
		place += "/" + b.Prefix
	}
	return place
}

// SetBucket has media go to b from now on, or stay in the number's folder with the zero
// Bucket. A bucket that is replaced stays readable, so that no file is lost, unless b is the
// same place. The error is a fault that names every field that cannot be as it is, and m is
// then as it was.
func (m *Media) SetBucket(b Bucket) error {
	b = b.trimmed()
	if b.Set() {
		if err := b.check(); err != nil {
			return err
		}
	}
	if m.Bucket.Set() && m.Bucket.Place() != b.Place() {
		m.Earlier = append(m.Earlier, m.Bucket)
	}
	m.Earlier = without(m.Earlier, b.Place())
	m.Bucket = b
	return nil
}

// Forget forgets the keys of an earlier bucket; a fault.Conflict if there is none of that place.
func (m *Media) Forget(place string) error {
	left := without(m.Earlier, place)
	if len(left) == len(m.Earlier) {
		return fault.New(fault.Conflict, "This number has no such bucket any more.")
	}
	m.Earlier = left
	return nil
}

// without returns those of all that are at other places.
func without(all []Bucket, place string) []Bucket {
	return slices.DeleteFunc(slices.Clone(all), func(b Bucket) bool { return b.Place() == place })
}

// At returns the bucket of a place, with the keys that are set for it now.
func (m Media) At(place string) (Bucket, bool) {
	if m.Bucket.Set() && m.Bucket.Place() == place {
		return m.Bucket, true
	}
	for _, b := range m.Earlier {
		if b.Place() == place {
			return b, true
		}
	}
	return Bucket{}, false
}

func (b Bucket) trimmed() Bucket {
	for _, s := range []*string{&b.Endpoint, &b.Region, &b.Name, &b.Prefix, &b.AccessKey, &b.SecretKey} {
		*s = strings.TrimSpace(*s)
	}
	b.Endpoint, b.Prefix = strings.TrimRight(b.Endpoint, "/"), strings.Trim(b.Prefix, "/")
	return b
}

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	digits = "0123456789"
	// inPrefix are the characters that every store takes and no program writes in two ways.
	inPrefix      = lower + "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + digits + "-_./"
	longestPrefix = 200
	longestKey    = 256
)

func only(s, characters string) bool { return strings.Trim(s, characters) == "" }

// IsRegion tells whether a store may call a region so; "" is none.
func IsRegion(name string) bool { return len(name) <= 63 && only(name, lower+digits+"-") }

func (b Bucket) check() error {
	var wrong []error
	need := func(ok bool, field, sentence string) {
		if !ok {
			wrong = append(wrong, fault.InField(field, sentence))
		}
	}
	u, err := url.Parse(b.Endpoint)
	need(err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" && u.Path == "" && u.RawQuery == "" && u.User == nil && u.Fragment == "",
		"endpoint", "Enter the address of the store alone, such as https://s3.eu-central-1.amazonaws.com, without the bucket.")
	need(len(b.Name) >= 3 && len(b.Name) <= 63 && only(b.Name, lower+digits+"-.") && !strings.Contains(b.Name, "..") && !strings.ContainsAny(b.Name[:1]+b.Name[len(b.Name)-1:], "-."),
		"name", "Enter the bucket's name: 3 to 63 small letters, digits and hyphens.")
	need(IsRegion(b.Region), "region", "Enter the region as the store calls it, such as eu-central-1, or nothing.")
	need(len(b.Prefix) <= longestPrefix && only(b.Prefix, inPrefix) && !slices.ContainsFunc(strings.Split(b.Prefix, "/"), func(part string) bool {
		return part == "." || part == ".." || part == "" && b.Prefix != ""
	}), "prefix", "Use letters, digits, hyphens, dots and slashes for the folder.")
	printable := func(s string) bool {
		return s != "" && len(s) <= longestKey && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
	}
	need(printable(b.AccessKey), "access_key", "Enter the access key as the store shows it.")
	need(printable(b.SecretKey), "secret_key", "Enter the secret key as the store shows it.")
	return errors.Join(wrong...)
}
