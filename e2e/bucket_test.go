package e2e

import (
	"bytes"
	"fmt"
	"image/color"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"switchboard/bucket/buckettest"
	"switchboard/whatsapp/simulator/phone"
	"switchboard/whatsapp/simulator/web"
)

// TestPicturesGoToABucket sets a bucket in the browser, and has a number keep there what
// arrives: from the phone that sends a picture to the program that reads it.
func TestPicturesGoToABucket(t *testing.T) {
	t.Parallel()
	store := buckettest.New(t)
	network := startNetwork(t)
	ada := network.addPhone(own, "Ada")
	network.addPhone(friend, "Grace")
	p := startPanel(t, network, "EGRESS_ALLOW=127.0.0.0/8")
	b := newTab(t)
	p.signIn(b)
	api := p.withToken()
	number := api.pair(api.create("Business 01").ID, ada)
	r := api.rest(number.ID)

	b.open(p.url + "/instances/" + number.ID + "/settings")
	b.click("bucket")
	at := store.Bucket()
	empty := func(field string) { // chromedp clears only what stands in the markup
		t.Helper()
		b.eval(patience, `(document.getElementById(`+quote(field)+`).value = "", true)`, field+" is empty")
	}
	b.fill("bucket-form", "endpoint", at.Endpoint)
	b.fill("bucket-form", "bucket", "none")
	b.fill("bucket-form", "region", at.Region)
	empty("prefix")
	b.fill("bucket-form", "prefix", at.Prefix)
	b.fill("bucket-form", "access-key", at.AccessKey)
	b.fill("bucket-form", "secret-key", at.SecretKey)
	b.click("path_style")
	b.click("check-bucket")
	b.reads("bucket-problem", "There is no bucket named none at this store.")
	empty("name")
	b.fill("bucket-form", "bucket", at.Name)
	b.click("check-bucket")
	b.see("bucket-works")
	b.click("save-bucket")
	b.reads("bucket-now", "They are kept in the bucket media")

	picture := aPNG(t, color.White)
	send := func() (id, path string) { return r.receivesPicture(network, picture) }
	folder := filepath.Join(p.folder(number.ID), "media")
	left := func() (names []string) {
		entries, _ := os.ReadDir(folder)
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	there := func() string {
		return fmt.Sprintf("in the bucket %q, in the folder %q", store.Objects(), left())
	}
	sent, path := send()
	poll(t, "the picture lies in the bucket alone", func() bool { return len(store.Objects()) == 1 && len(left()) == 0 }, there)
	read := func(path string) { t.Helper(); r.shows(path, picture) }
	read(path)

	// While the store is away what arrives is kept, and the panel says why it waits.
	store.Stop()
	_, waiting := send()
	read(waiting)
	poll(t, "the page says so", func() bool {
		b.open(p.url + "/instances/" + number.ID)
		return strings.Contains(b.page(), "does not answer. They are kept here meanwhile")
	}, b.page)
	if status, _, body := r.ask("GET /statics/media/{name}", "/"+path, nil); status != http.StatusServiceUnavailable {
		t.Errorf("from a store that is away: %d %s", status, body)
	}
	store.Start()
	poll(t, "it lies in the bucket, too", func() bool { return len(store.Objects()) == 2 && len(left()) == 0 }, there)
	read(path)
	read(waiting)

	// Gone from the bucket and from WhatsApp, it comes from the phone once more.
	network.must(network.control.Expire(within(t, patience), own, friend, sent, true))
	store.Remove(filepath.Base(path))
	read(path)

	// What lies there stays there, and another installation finds it, where nobody else has it.
	poll(t, "both lie in the bucket alone", func() bool { return len(store.Objects()) == 2 && len(left()) == 0 }, there)
	network.must(network.control.Expire(within(t, patience), own, friend, sent, false))
	logged, err := os.ReadFile(filepath.Join(p.folder(number.ID), "worker.log"))
	if err != nil || strings.Contains(string(logged)+p.stderr.String(), at.SecretKey) {
		t.Errorf("a log has the secret, or there is none: %v", err)
	}
	p.stop()
	backup := filepath.Join(p.dir, "number.backup")
	p.command("correct horse battery staple", "backup", "--out", backup, "--passphrase-stdin")
	p.dir = t.TempDir()
	p.command("correct horse battery staple", "restore", "--in", backup, "--passphrase-stdin")
	p.serve(t)
	api = p.withToken()
	api.becomes(number.ID, "connected")
	r = api.rest(number.ID)
	read(path)
	read(waiting)
}

// receivesPicture has a friend send a picture, and waits until the number keeps it.
func (r *rest) receivesPicture(network *network, picture []byte) (id, path string) {
	r.t.Helper()
	sent, err := network.control.SendFile(within(r.t, patience), friend, own, web.File{Kind: phone.Image, MIME: "image/png", Caption: "a picture", Data: picture})
	network.must(err)
	var got struct {
		Path string `json:"file_path"`
	}
	ask := "/message/" + sent.ID + "/download?phone=" + friend
	poll(r.t, "the picture is here", func() bool {
		status, _, _ := r.ask("GET /message/{message_id}/download", ask, nil)
		return status == http.StatusOK
	}, func() string { return sent.ID })
	r.call("GET /message/{message_id}/download", ask, nil, &got)
	return sent.ID, got.Path
}

// shows makes sure that a picture is served.
func (r *rest) shows(path string, picture []byte) {
	r.t.Helper()
	if status, header, body := r.ask("GET /statics/media/{name}", "/"+path, nil); status != http.StatusOK || !bytes.Equal(body, picture) || header.Get("Content-Type") != "image/png" {
		r.t.Errorf("%s: %d, %d bytes %s", path, status, len(body), header)
	}
}
