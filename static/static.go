// Package static holds the files that the browser loads beside the pages: the style sheet,
// htmx, the panel's own few lines of script, the typeface and the icons. They are part of
// the program.
//
// Every file has an address that changes with its content, so that browsers may keep it
// for ever: a version in the query, or, where the style sheet names it, in its own name.
package static

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"sync"
)

//go:embed *.css *.js *.svg *.woff2 licenses
var files embed.FS

// versions are made when the first page is shown: a worker shows none.
var versions = sync.OnceValue(fingerprints)

func fingerprints() map[string]string {
	names, err := fs.Glob(files, "*.*")
	if err != nil {
		panic(err) // only a malformed pattern, and it is a constant
	}
	found := make(map[string]string, len(names))
	for _, name := range names {
		data, err := files.ReadFile(name)
		if err != nil {
			panic(err) // embedded, therefore readable
		}
		sum := sha256.Sum256(data)
		found[name] = hex.EncodeToString(sum[:6])
	}
	return found
}

// Path returns where a file is found below the handler's place: "app.css?v=…".
func Path(name string) string {
	if v := versions()[name]; v != "" && !named(name) {
		return name + "?v=" + v
	}
	return name
}

// named reports whether a file has its version in its name.
func named(name string) bool { return path.Ext(name) == ".woff2" }

// Handler serves the files. A request that names the right version may be cached for ever.
func Handler() http.Handler {
	server := http.FileServerFS(files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if info, err := fs.Stat(files, r.URL.Path); err != nil || info.IsDir() {
			http.NotFound(w, r) // a folder is not listed
			return
		}
		v, known := versions()[r.URL.Path]
		if known && (named(r.URL.Path) || r.URL.Query().Get("v") == v) {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		server.ServeHTTP(w, r)
	})
}

// PasskeySource is the text of passkey.js.
func PasskeySource() string {
	data, err := files.ReadFile("passkey.js")
	if err != nil {
		panic(err) // embedded, therefore readable
	}
	return string(data)
}
