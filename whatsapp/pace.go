package whatsapp

import (
	"math/rand/v2"
	"time"
)

// pace holds every duration that the keeper goes by.
type pace struct {
	firstCode, nextCode time.Duration // how long each QR code of a round is shown
	round               time.Duration // a round of codes ends after this, whatever happens
	fresh               time.Duration // up to this age a round is good for a phone code
	passkey             time.Duration // for a person to find and use the passkey
	socket              time.Duration // for a websocket to open
	login               time.Duration // from an open socket to its first code or login
	silence             time.Duration // without a byte for this long the line counts as dead
	turn                time.Duration // between looks around, at most
	goodbye             time.Duration // how long a disconnect may be polite

	retry, retryMax     time.Duration // between attempts to connect
	refused, refusedMax time.Duration // the same after WhatsApp refused the login
	again, againMax     time.Duration // until what could not be stored is asked for again
	away, awayMax       time.Duration // until media are taken to the bucket again
	give                time.Duration // for the phone to give a file again, while somebody waits
	steady              time.Duration // a connection that lasted this long was a good one
}

// WhatsApp closes an unpaired socket after 160 s, and its own page shows the first code for
// 60 s and the others for 20 s. A healthy line carries a keepalive at least every 30 s.
var usualPace = pace{
	firstCode: 60 * time.Second, nextCode: 20 * time.Second, round: 160 * time.Second,
	fresh: 15 * time.Second, passkey: 5 * time.Minute,
	socket: 20 * time.Second, login: 30 * time.Second, silence: 45 * time.Second, turn: 10 * time.Second, goodbye: time.Second,
	retry: time.Second, retryMax: 8 * time.Second,
	refused: time.Minute, refusedMax: 15 * time.Minute,
	again: 5 * time.Second, againMax: time.Minute,
	away: 10 * time.Second, awayMax: 15 * time.Minute, give: 20 * time.Second,
	steady: 30 * time.Second,
}

// backoff doubles from first up to limit, and takes off up to half at random, so that many
// numbers that lost WhatsApp together do not come back together.
func backoff(failures int, first, limit time.Duration) time.Duration {
	d := limit
	if failures < 16 {
		d = min(first<<failures, limit)
	}
	return d/2 + rand.N(d/2+1)
}
