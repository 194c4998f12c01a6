package simulator

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
)

const (
	mediaHost   = "mmg.whatsapp.net"
	otherHost   = "media.whatsapp.net"
	pictureHost = "pps.whatsapp.net"
	maxMedia    = 256 << 20
	mediaLife   = 30 * 24 * time.Hour // as a path says; files go when they are told to
)

// fileName is what tokens and ids of pictures look like. It cannot leave its folder.
var fileName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_=-]{1,64}$`) })

// handler serves everything that clients ask over HTTP, under whatever host name.
func (n *Network) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws/chat", n.serveChat)
	mux.HandleFunc("POST /mms/{kind}/{token}", n.upload)
	mux.HandleFunc("DELETE /mms/{kind}/{token}", n.deleteMedia)
	mux.HandleFunc("GET /v/media/{token}", func(w http.ResponseWriter, r *http.Request) {
		n.download(w, r, r.PathValue("token"), n.state.media)
	})
	mux.HandleFunc("GET /v/picture/{id}", func(w http.ResponseWriter, r *http.Request) {
		n.download(w, r, r.PathValue("id"), n.state.picture)
	})
	return mux
}

func (s *state) media(token string) string { return filepath.Join(s.mediaDir, token) }
func (s *state) picture(id string) string  { return filepath.Join(s.mediaDir, "picture-"+id) }

// Clients put their own parameters behind a direct path with an ampersand, so that it has to
// have a question mark already.
func mediaPath(token string) string {
	return "/v/media/" + token + "?ccb=11-4&oe=" + strconv.FormatInt(time.Now().Add(mediaLife).UnixNano(), 16)
}
func picturePath(id string) string { return "/v/picture/" + id + "?ccb=11-4" }

// handleMediaConn tells the client where media go.
func (c *connection) handleMediaConn(iq *waBinary.Node) {
	c.result(iq, node("media_conn", waBinary.Attrs{"auth": c.mediaAuth(), "ttl": 3600, "auth_ttl": 21600, "max_buckets": 12, "is_new": 1},
		node("host", waBinary.Attrs{"hostname": mediaHost, "type": "primary"}),
		node("host", waBinary.Attrs{"hostname": otherHost, "type": "fallback"}),
	))
}

// mediaAuth opens the servers of media to a device, and tells them which one it is.
func (c *connection) mediaAuth() string {
	number, device := "", uint16(0)
	if d := c.device.Load(); d != nil {
		number, device = d.account.Number, d.ID
	}
	return fmt.Sprintf("%s.%s.%d", c.n.mediaAuth, number, device)
}

func (n *Network) readMediaAuth(r *http.Request) (ok bool, number string, device uint16) {
	auth, rest, _ := strings.Cut(r.URL.Query().Get("auth"), ".")
	number, text, _ := strings.Cut(rest, ".")
	id, _ := strconv.ParseUint(text, 10, 16)
	return auth == n.mediaAuth, number, uint16(id)
}

// upload takes encrypted media. The token is the hash of what is coming.
func (n *Network) upload(w http.ResponseWriter, r *http.Request) {
	token := r.PathValue("token")
	want, err := base64.URLEncoding.DecodeString(token)
	auth, number, device := n.readMediaAuth(r)
	switch {
	case !auth:
		http.Error(w, "unauthorized", http.StatusUnauthorized)
		return
	case n.refusesUpload(number, device):
		http.Error(w, "unavailable", http.StatusServiceUnavailable)
		return
	case err != nil || !fileName().MatchString(token):
		http.Error(w, "bad token", http.StatusBadRequest)
		return
	}
	sum, err := n.storeMedia(http.MaxBytesReader(w, r.Body, maxMedia), n.state.media(token), want)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
	case err != nil:
		n.log.Error("media could not be stored", "err", err)
		http.Error(w, "could not be stored", http.StatusInternalServerError)
	case !sum:
		http.Error(w, "hash mismatch", http.StatusBadRequest)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{
			"url": "https://" + mediaHost + mediaPath(token), "direct_path": mediaPath(token),
			"handle": token, "object_id": token,
		})
	}
}

// storeMedia writes body to path, whole or not at all. It reports whether the hash matches.
func (n *Network) storeMedia(body io.Reader, path string, want []byte) (matches bool, err error) {
	f, err := os.CreateTemp(n.state.mediaDir, "upload-*")
	if err != nil {
		return false, err
	}
	defer os.Remove(f.Name()) // nothing there once it was renamed
	hash := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, hash), body)
	if err = errors.Join(err, f.Close()); err != nil {
		return false, err
	}
	if string(hash.Sum(nil)) != string(want) {
		return false, nil
	}
	return true, os.Rename(f.Name(), path)
}

func (n *Network) download(w http.ResponseWriter, r *http.Request, name string, path func(string) string) {
	if !fileName().MatchString(name) {
		http.NotFound(w, r)
		return
	}
	f, err := os.Open(path(name))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		http.Error(w, "could not be read", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", info.ModTime(), f)
}

func (n *Network) deleteMedia(w http.ResponseWriter, r *http.Request) {
	token := r.PathValue("token")
	auth, _, _ := n.readMediaAuth(r)
	switch {
	case !auth:
		http.Error(w, "unauthorized", http.StatusUnauthorized)
	case !fileName().MatchString(token):
		http.NotFound(w, r)
	default:
		if err := os.Remove(n.state.media(token)); err != nil && !errors.Is(err, os.ErrNotExist) {
			http.Error(w, "could not be deleted", http.StatusInternalServerError)
		}
	}
}
