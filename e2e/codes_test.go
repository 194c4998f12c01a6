package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"image"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/a-h/templ"
	"github.com/chromedp/chromedp"

	"switchboard/instances"
	"switchboard/qrcode"
	"switchboard/static"
	"switchboard/views"
)

// TestCodesAreReadable shows the card of the pairing page with hundreds of codes such as
// WhatsApp's in a browser, on a phone and on a large screen, and reads each of them from the
// pixels. One that cannot be read would keep somebody from pairing for a minute.
func TestCodesAreReadable(t *testing.T) {
	t.Parallel()
	const pages, each = 4, 25
	random := rand.NewChaCha8([32]byte{2}) // always the same: what fails once fails again
	texts := make([]string, pages*each)
	for i := range texts {
		part := func(bytes int) string {
			b := make([]byte, bytes)
			_, _ = random.Read(b) // cannot fail
			return base64.StdEncoding.EncodeToString(b)
		}
		texts[i] = "https://wa.me/settings/linked_devices#2@" + part(33) + "," + part(32) + "," + part(32) + "," + part(32) + ",1"
	}
	mux := http.NewServeMux()
	mux.Handle("GET /static/", http.StripPrefix("/static/", static.Handler()))
	mux.HandleFunc("GET /page/{n}", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.PathValue("n"))
		if err != nil || n >= pages {
			http.NotFound(w, r)
			return
		}
		ctx := views.With(r.Context(), views.Shell{Person: "Ada", MayChange: true, Simulated: true, Now: time.Now()})
		if err := views.Page("Codes", "").Render(templ.WithChildren(ctx, cards(texts[n*each:(n+1)*each])), w); err != nil {
			t.Error(err)
		}
	})
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)

	b := newTab(t)
	for _, screen := range []struct {
		width, height int64
		scale         float64
	}{{390, 844, 1}, {1440, 900, 1}, {1280, 800, 1.5}} {
		b.do("be a screen", chromedp.EmulateViewport(screen.width, screen.height, chromedp.EmulateScale(screen.scale)))
		for n := range pages {
			b.open(site.URL + "/page/" + strconv.Itoa(n))
			b.eval(patience, "document.fonts.status === 'loaded'", "the typeface has its place")
			where := b.places(`svg[aria-label="QR code"]`)
			picture, ok := b.screenshot().(interface {
				image.Image
				SubImage(r image.Rectangle) image.Image
			})
			if !ok || len(where) != each {
				t.Fatalf("%d codes on a page with %d", len(where), each)
			}
			for i, at := range where {
				code, err := decode(picture.SubImage(at.times(screen.scale)))
				if want := texts[n*each+i]; code != want {
					t.Errorf("at %d pixels, scale %v, at %v: %q is read as %q: %v", screen.width, screen.scale, at, want, code, err)
				}
			}
		}
	}
}

// cards stand in a column as the card of the pairing page does.
func cards(texts []string) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		_, _ = io.WriteString(w, `<main id="main" class="mx-auto max-w-5xl px-5 pt-8 pb-24"><div class="mt-4 grid gap-x-10 gap-y-8 lg:grid-cols-[minmax(0,1fr)_17rem]"><div class="min-w-0 space-y-6">`)
		for _, text := range texts {
			svg, err := qrcode.SVG(text)
			if err != nil {
				return err
			}
			inst := instances.Instance{ID: "a", Status: instances.PairingPhone, Pairing: &instances.Pairing{
				Code: text, ExpiresAt: time.Now().Add(time.Hour), Turn: 1, Turns: 6,
			}}
			if err := views.PairingCard(views.Pairing{Instance: inst, QR: svg}).Render(ctx, w); err != nil {
				return err
			}
		}
		_, err := io.WriteString(w, `</div></div></main>`)
		return err
	})
}

// place is where an element is on the page, in CSS pixels.
type place struct{ X, Y, W, H float64 }

func (p place) times(scale float64) image.Rectangle {
	return image.Rect(int(p.X*scale), int(p.Y*scale), int((p.X+p.W)*scale)+1, int((p.Y+p.H)*scale)+1)
}

func (b *tab) places(selector string) (found []place) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	raw, err := chromedp.Run(ctx, chromedp.Evaluate[string](`JSON.stringify([...document.querySelectorAll(`+quote(selector)+`)].map(e => {
		const r = e.getBoundingClientRect();
		return {X: r.x + scrollX, Y: r.y + scrollY, W: r.width, H: r.height};
	}))`))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(raw), &found); err != nil {
		b.t.Fatal(err)
	}
	return found
}
