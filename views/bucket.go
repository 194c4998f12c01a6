package views

import (
	"switchboard/instances"
	"switchboard/messages"
	"switchboard/settings"
)

// Bucket is the page that says where a number keeps pictures and files.
type Bucket struct {
	Instance instances.Instance
	Form     Form
	Works    string // what a test found, if it went well
	Now      settings.Bucket
	Earlier  []settings.Bucket
	Waiting  Waiting
}

// Waiting is what lies in a number's folder until its bucket takes it.
type Waiting messages.Backlog

// BucketFields are the fields in which a person names a bucket, but for the secret key: that
// is never shown.
var BucketFields = []string{"endpoint", "region", "name", "prefix", "access_key", "path_style"}

// BucketValues fills these fields. Where there is no bucket yet, the number has a folder of
// its own in the one that is chosen.
func BucketValues(b settings.Bucket, id instances.ID) map[string]string {
	if !b.Set() {
		return map[string]string{"prefix": string(id)}
	}
	return map[string]string{
		"endpoint": b.Endpoint, "region": b.Region, "name": b.Name, "prefix": b.Prefix, "access_key": b.AccessKey, "path_style": checked(b.PathStyle),
	}
}
