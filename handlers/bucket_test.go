package handlers

import (
	"context"
	"net/http"
	"testing"
	"time"

	"switchboard/auth"
	"switchboard/fault"
	"switchboard/messages"
	"switchboard/settings"
)

func TestBucketPage(t *testing.T) {
	t.Parallel()
	var tried settings.Bucket
	s := newSite(t, func(o *Options) {
		o.CheckBucket = func(_ context.Context, b settings.Bucket) error {
			tried = b
			if b.Region == "eu-west-1" {
				return fault.New(fault.Invalid, "This bucket is in the region eu-central-1.")
			}
			return nil
		}
	})
	b := s.signedIn(auth.Owner)
	s.numbers.set(connected(s.owner))
	number := "/instances/" + string(known)
	page := number + "/bucket"
	b.get(number+"/settings").has(t, `href="`+page+`"`)
	b.get(page).has(t, "in the number's own folder", `value="`+string(known)+`"`)
	b.get(number).lacks(t, `data-testid="buckets-stay"`)

	form := func(region, secret string) []string {
		return []string{
			"endpoint", "https://s3.example.com/", "region", region, "name", "media", "prefix", "/numbers/shop/",
			"access_key", "AKIA1", "secret_key", secret, "path_style", "yes",
		}
	}
	for field, wrong := range map[string]string{
		"endpoint": "s3.example.com", "name": "Media", "region": "EU West", "prefix": "a/../b", "access_key": "", "secret_key": "",
	} {
		values := form("", "s3cret")
		for i := 0; i < len(values); i += 2 {
			if values[i] == field {
				values[i+1] = wrong
			}
		}
		got := b.post(page, values...)
		if got.code != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", field, got.code)
		}
		got.has(t, `id="`+field+`-error"`)
		got.lacks(t, "s3cret")
	}
	if got := b.post(page); got.code != http.StatusUnprocessableEntity {
		t.Errorf("an empty form: %d", got.code)
	}
	b.post(page+"/check", form("eu-west-1", "s3cret")...).has(t, "This bucket is in the region eu-central-1.", `value="eu-west-1"`)
	b.post(page+"/check", form("eu-central-1", "s3cret")...).has(t, `data-testid="bucket-works"`)
	want := settings.Bucket{
		Endpoint: "https://s3.example.com", Region: "eu-central-1", Name: "media", Prefix: "numbers/shop", AccessKey: "AKIA1", SecretKey: "s3cret", PathStyle: true,
	}
	if tried != want {
		t.Errorf("tried %+v", tried)
	}
	kept := func() settings.Media {
		t.Helper()
		set, err := s.settings.Get(t.Context(), known)
		if err != nil {
			t.Fatal(err)
		}
		return set.Media
	}
	if kept().Bucket.Set() {
		t.Error("a test saved something")
	}
	b.post(page, form("eu-central-1", "s3cret")...)
	if kept().Bucket != want {
		t.Errorf("kept %+v", kept().Bucket)
	}
	// What is not typed again stays; another access key has another secret.
	b.post(page, form("eu-central-1", "")...)
	if kept().Bucket != want || len(kept().Earlier) != 0 {
		t.Errorf("kept %+v", kept())
	}
	other := form("eu-central-1", "")
	other[9] = "AKIA2"
	b.post(page, other...).has(t, `id="secret_key-error"`)

	s.messages.backlog = messages.Backlog{Files: 3, Bytes: 4_200_000, Since: time.Now(), Error: "The store at s3.example.com does not answer."}
	got := b.get(page)
	got.has(t, "3 files, 4.2 MB", "The store at s3.example.com does not answer.", "AKIA1")
	got.lacks(t, "s3cret")
	b.get(number).has(t, `data-testid="bucket-stuck"`, `data-testid="buckets-stay"`, "https://s3.example.com/media/numbers/shop")

	b.post(page + "/leave")
	if m := kept(); m.Bucket.Set() || len(m.Earlier) != 1 || m.Earlier[0] != want {
		t.Errorf("kept %+v", m)
	}
	b.get(page).has(t, `data-testid="earlier"`)
	got = b.get(number)
	got.has(t, `data-testid="buckets-stay"`)
	got.lacks(t, `data-testid="bucket-stuck"`)
	if got := b.post(page+"/forget", "place", "elsewhere"); got.code != http.StatusConflict {
		t.Errorf("forgets what is not there: %d", got.code)
	}
	b.post(page+"/forget", "place", want.Place())
	if m := kept(); len(m.Earlier) != 0 {
		t.Errorf("kept %+v", m)
	}
}
