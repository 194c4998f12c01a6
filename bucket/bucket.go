// Package bucket keeps files in an S3-compatible store.
//
// A file is one object, written and read as a stream with one request each. Requests are
// signed by the AWS SDK's own signer and go out through package egress; the rest of S3 that
// this takes is plain HTTP, so that a process which has no bucket pays nothing for it.
package bucket

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"switchboard/egress"
	"switchboard/fault"
	"switchboard/settings"
)

const (
	// requestTime is how long one file may take on its way.
	requestTime = 30 * time.Minute
	checkTime   = 20 * time.Second
	// anyRegion is what stores that know no regions want to be called.
	anyRegion = "us-east-1"
)

// Bucket is a bucket that can be asked. It holds no connection; its methods may be called
// from any goroutine. Their errors are faults that say what to do, as far as the store does.
type Bucket struct {
	at     settings.Bucket
	base   *url.URL // of all objects
	client *http.Client
	// signer is this bucket's own: it remembers the key that it derives, and would go on
	// signing with it after the secret was changed.
	signer *v4.Signer
}

// New returns the bucket that settings name. Nothing is asked yet.
func New(at settings.Bucket, guard *egress.Guard) (*Bucket, error) {
	u, err := egress.Parse(at.Endpoint)
	if err != nil {
		return nil, err
	}
	if at.PathStyle {
		u = u.JoinPath(at.Name)
	} else {
		u.Host = at.Name + "." + u.Host
	}
	u = u.JoinPath(at.Prefix, "/")
	client := guard.Client(requestTime)
	// A signature is good for one address alone.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	return &Bucket{at: at, base: u, client: client, signer: signer}, nil
}

// Place is where the files lie, as it is kept with each.
func (b *Bucket) Place() string { return b.at.Place() }

// Put writes all of file as an object, from its beginning. The store checks that what it got
// is what was sent. An object that is there already is replaced.
func (b *Bucket) Put(ctx context.Context, name string, file io.ReadSeeker, kind string) error {
	hash := sha256.New()
	size, err := io.Copy(hash, file)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return fmt.Errorf("read what goes to the bucket: %w", err)
	}
	r, err := b.request(ctx, http.MethodPut, name)
	if err != nil {
		return err
	}
	r.ContentLength = size
	if size > 0 {
		r.Body = io.NopCloser(file)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	res, err := b.do(r, hex.EncodeToString(hash.Sum(nil)))
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// Delete removes an object. That it is not there is no error.
func (b *Bucket) Delete(ctx context.Context, name string) error {
	r, err := b.request(ctx, http.MethodDelete, name)
	if err != nil {
		return err
	}
	res, err := b.do(r, nothing)
	if fault.KindOf(err) == fault.NotFound && !errors.Is(err, errNoBucket) {
		return nil
	}
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// Check writes, reads and deletes a small object, and returns nil if all of that works.
func (b *Bucket) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	name, text := "switchboard-check-"+rand.Text(), "Switchboard looks whether it can keep files here.\n"
	if err := b.Put(ctx, name, strings.NewReader(text), "text/plain"); err != nil {
		return err
	}
	o, err := b.Open(ctx, name, int64(len(text)))
	if err == nil {
		var got []byte
		got, err = io.ReadAll(o)
		_ = o.Close()
		if err == nil && string(got) != text {
			err = fault.New(fault.Unavailable, "The store gave something else back than was put there.")
		}
	}
	if err != nil {
		_ = b.Delete(ctx, name) // it may not read, and still delete
		return err
	}
	return b.Delete(ctx, name)
}

// nothing is the SHA-256 of an empty body.
const nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func (b *Bucket) request(ctx context.Context, method, name string) (*http.Request, error) {
	return http.NewRequestWithContext(ctx, method, b.base.JoinPath(name).String(), nil)
}

// do signs a request and returns its answer if it is a good one.
func (b *Bucket) do(r *http.Request, hash string) (*http.Response, error) {
	region := b.at.Region
	if region == "" {
		region = anyRegion
	}
	r.Header.Set("X-Amz-Content-Sha256", hash)
	keys := aws.Credentials{AccessKeyID: b.at.AccessKey, SecretAccessKey: b.at.SecretKey}
	if err := b.signer.SignHTTP(r.Context(), keys, r, hash, "s3", region, time.Now()); err != nil {
		return nil, err
	}
	res, err := b.client.Do(r)
	if err != nil {
		return nil, b.unanswered(r.Context(), err)
	}
	if res.StatusCode/100 == 2 {
		return res, nil
	}
	defer res.Body.Close()
	return nil, b.refused(r.Method, res)
}

// Open returns an object of size bytes to read. It is asked for at once, so that an error
// comes from here, and again when it is read from elsewhere than its beginning. ctx holds for
// all reading.
func (b *Bucket) Open(ctx context.Context, name string, size int64) (io.ReadSeekCloser, error) {
	o := &object{ctx: ctx, bucket: b, name: name, size: size}
	return o, o.fetch()
}

// object reads one object. body is nil or stands at the place from.
type object struct {
	ctx      context.Context
	bucket   *Bucket
	name     string
	size     int64
	at, from int64
	body     io.ReadCloser
}

func (o *object) fetch() error {
	r, err := o.bucket.request(o.ctx, http.MethodGet, o.name)
	if err != nil {
		return err
	}
	if o.at > 0 {
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-", o.at))
	}
	res, err := o.bucket.do(r, nothing)
	if err != nil {
		return err
	}
	if o.at > 0 && res.StatusCode != http.StatusPartialContent {
		_ = res.Body.Close()
		return fault.New(fault.Unavailable, "The store cannot give a part of a file.")
	}
	o.body, o.from = res.Body, o.at
	return nil
}

func (o *object) Read(p []byte) (int, error) {
	if o.at >= o.size {
		return 0, io.EOF
	}
	if o.body != nil && o.from != o.at {
		_ = o.body.Close()
		o.body = nil
	}
	if o.body == nil {
		if err := o.fetch(); err != nil {
			return 0, err
		}
	}
	n, err := o.body.Read(p)
	o.at += int64(n)
	o.from = o.at
	if errors.Is(err, io.EOF) && o.at < o.size {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (o *object) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += o.at
	case io.SeekEnd:
		offset += o.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the beginning of an object")
	}
	o.at = offset
	return offset, nil
}

func (o *object) Close() error {
	if o.body == nil {
		return nil
	}
	return o.body.Close()
}
