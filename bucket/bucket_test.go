package bucket_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"switchboard/bucket"
	"switchboard/bucket/buckettest"
	"switchboard/egress"
	"switchboard/fault"
	"switchboard/settings"
)

var loopback = egress.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})

func open(t *testing.T, at settings.Bucket) *bucket.Bucket {
	t.Helper()
	b, err := bucket.New(at, loopback)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFilesInABucket(t *testing.T) {
	t.Parallel()
	store := buckettest.New(t)
	b := open(t, store.Bucket())
	if err := b.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := store.Objects(); len(left) != 0 {
		t.Errorf("the check left %v", left)
	}
	data := bytes.Repeat([]byte("0123456789"), 30_000)
	for _, name := range []string{"a.jpeg", "a.jpeg", "empty"} { // again is no error
		what := data
		if name == "empty" {
			what = nil
		}
		if err := b.Put(t.Context(), name, bytes.NewReader(what), "image/jpeg"); err != nil {
			t.Fatal(err)
		}
		if got := store.Object(name); !bytes.Equal(got, what) {
			t.Fatalf("%s: %d bytes arrived", name, len(got))
		}
	}
	o, err := b.Open(t.Context(), "a.jpeg", int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	// As browsers ask for parts of a video.
	answer := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Range", "bytes=299990-")
	answer.Header().Set("Content-Type", "image/jpeg")
	http.ServeContent(answer, r, "", time.Time{}, o)
	if answer.Code != http.StatusPartialContent || answer.Body.String() != "0123456789" {
		t.Errorf("a part: %d %q", answer.Code, answer.Body)
	}
	if _, err := o.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(o); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := b.Open(t.Context(), "none", 1); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a file that is not there: %v", err)
	}
	for range 2 {
		if err := b.Delete(t.Context(), "a.jpeg"); err != nil {
			t.Fatal(err)
		}
	}
	if store.Object("a.jpeg") != nil {
		t.Error("it is still there")
	}
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	t.Parallel()
	store := buckettest.New(t)
	for sentence, spoil := range map[string]func(*settings.Bucket){
		"The store does not know this access key.":                               func(b *settings.Bucket) { b.AccessKey = "somebody" },
		"The secret key does not belong to this access key.":                     func(b *settings.Bucket) { b.SecretKey = "wrong" },
		"There is no bucket named other at this store.":                          func(b *settings.Bucket) { b.Name = "other" },
		"This bucket is in the region eu-test-1.":                                func(b *settings.Bucket) { b.Region = "us-west-2" },
		"The store at 127.0.0.1:1 does not answer.":                              func(b *settings.Bucket) { b.Endpoint = "http://127.0.0.1:1" },
		"There is no host media.nowhere.invalid, or this server cannot find it.": func(b *settings.Bucket) { b.Endpoint, b.PathStyle = "https://nowhere.invalid", false },
	} {
		at := store.Bucket()
		spoil(&at)
		err := open(t, at).Check(t.Context())
		if fault.MessageOf(err) != sentence {
			t.Errorf("wanted %q, got %v", sentence, err)
		}
		if err != nil && strings.Contains(err.Error(), store.Secret()) {
			t.Errorf("the secret is told: %v", err)
		}
	}
	store.Stop()
	if err := open(t, store.Bucket()).Check(t.Context()); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a store that is down: %v", err)
	}
}

// Nobody may have the panel or a worker talk to what only this machine can reach.
func TestPrivateAddressesAreRefused(t *testing.T) {
	t.Parallel()
	var reached bool
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer inside.Close()
	at := settings.Bucket{Endpoint: inside.URL, Name: "media", AccessKey: "a", SecretKey: "b", PathStyle: true}
	b, err := bucket.New(at, egress.New(nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Check(t.Context()); !errors.Is(err, egress.ErrRefused) || reached {
		t.Errorf("got %v, reached: %v", err, reached)
	}
}

// A store that sends requests elsewhere does not get them there, and one that ends in the
// middle of a file is not taken for its end.
func TestStoresThatMisbehave(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s came elsewhere", r.Method) }))
	defer elsewhere.Close()
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
			return
		}
		w.Header().Set("Content-Length", "10")
		_, _ = w.Write([]byte("short"))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer store.Close()
	b := open(t, settings.Bucket{Endpoint: store.URL, Name: "media", AccessKey: "a", SecretKey: "b", PathStyle: true})
	if err := b.Put(t.Context(), "a", strings.NewReader("text"), ""); fault.KindOf(err) != fault.Invalid {
		t.Errorf("sent elsewhere: %v", err)
	}
	o, err := b.Open(t.Context(), "a", 10)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if got, err := io.ReadAll(o); err == nil || string(got) != "short" {
		t.Errorf("got %q, %v", got, err)
	}
}
