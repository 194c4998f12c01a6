package api

import (
	"errors"
	"net/http"
	"time"

	"switchboard/fault"
	"switchboard/settings"
)

// bucket is how the API shows where media lie. The secret key is taken, and never shown.
type bucket struct {
	Endpoint  string `json:"endpoint"`
	Region    string `json:"region"`
	Name      string `json:"name"`
	Prefix    string `json:"prefix"`
	AccessKey string `json:"access_key"`
	SecretKey string `json:"secret_key,omitempty"`
	PathStyle bool   `json:"path_style"`
}

// bucketOf returns nil if there is no bucket.
func bucketOf(b settings.Bucket) *bucket {
	if !b.Set() {
		return nil
	}
	return &bucket{Endpoint: b.Endpoint, Region: b.Region, Name: b.Name, Prefix: b.Prefix, AccessKey: b.AccessKey, PathStyle: b.PathStyle}
}

// set makes b the bucket of m. A secret key that is left out is the one that is kept, as long
// as the access key is the same.
func (b *bucket) set(m *settings.Media) error {
	if b == nil {
		return m.SetBucket(settings.Bucket{})
	}
	now := settings.Bucket(*b)
	if now.SecretKey == "" && now.AccessKey == m.Bucket.AccessKey {
		now.SecretKey = m.Bucket.SecretKey
	}
	if !now.Set() {
		now.PathStyle = true // an empty object is a mistake, and null is no bucket
	}
	var all []error
	err := m.SetBucket(now)
	for _, f := range fault.Fields(err) {
		all = append(all, fault.InField("bucket."+f.Field, f.Message))
	}
	if len(all) > 0 {
		return errors.Join(all...)
	}
	return err
}

// kept is where the media of a number lie, and what waits to be put there.
type kept struct {
	Bucket  *bucket  `json:"bucket"`
	Earlier []string `json:"earlier"`
	Waiting *waiting `json:"waiting"`
}

type waiting struct {
	Files int        `json:"files"`
	Bytes int64      `json:"bytes"`
	Since *time.Time `json:"since"`
	Error string     `json:"error"`
}

func (s *server) showBucket(w http.ResponseWriter, r *http.Request) error {
	inst, set, err := s.settingsOf(r)
	if err != nil {
		return err
	}
	out := kept{Bucket: bucketOf(set.Media.Bucket), Earlier: []string{}}
	for _, e := range set.Media.Earlier {
		out.Earlier = append(out.Earlier, e.Place())
	}
	if out.Bucket != nil {
		b, err := s.MediaBacklog(r.Context(), inst.ID)
		if err != nil {
			return err
		}
		out.Waiting = &waiting{Files: b.Files, Bytes: b.Bytes, Error: b.Error}
		if !b.Since.IsZero() {
			out.Waiting.Since = &b.Since
		}
	}
	return writeJSON(w, http.StatusOK, out)
}

// checkBucket tries the bucket of a number, with what the body changes of it.
func (s *server) checkBucket(w http.ResponseWriter, r *http.Request) error {
	_, set, err := s.settingsOf(r)
	if err != nil {
		return err
	}
	given := struct {
		Bucket *bucket `json:"bucket"`
	}{bucketOf(set.Media.Bucket)}
	if err := readJSON(w, r, &given); err != nil {
		return err
	}
	if given.Bucket == nil {
		return fault.InField("bucket", "This number has no bucket. Give one to check.")
	}
	trial := settings.Media{Bucket: set.Media.Bucket}
	if err := given.Bucket.set(&trial); err != nil {
		return err
	}
	if err := s.CheckBucket(r.Context(), trial.Bucket); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
