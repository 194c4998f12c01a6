package instances

import (
	"slices"
	"strings"
	"testing"
)

// every is the list that the contract names.
var every = []Status{Provisioning, Idle, Starting, PairingPhone, PasskeyRequired, Connected, Reconnecting,
	LoggedOut, Restricted, Outdated, Replaced, Backoff, Failed, Stopping, Deleting}

// Each row is a status, each column what may follow it, in the order of every.
const allowed = `
provisioning     . x x . . . . . . . . . x . x
stopped          . . x . . . . . . . . . . x x
starting         . . . x x x x x x x x x x x x
pairing          . . x . x x x x x x x x x x x
passkey_required . . x x . x x x x x x x x x x
connected        . . x x x . x x x x x x x x x
reconnecting     . . x x x x . x x x x x x x x
logged_out       . . x x x x x . x x x x x x x
restricted       . . x x x x x x . x x x x x x
outdated         . . x x x x x x x . x x x x x
replaced         . . x x x x x x x x . x x x x
backoff          . x x . . . . . . . . . . . x
failed           x x x . . . . . . . . . . . x
stopping         . x x . . . . . . . . x x . x
deleting         . . . . . . . . . . . . x . .
`

func TestEveryPairOfStatuses(t *testing.T) {
	t.Parallel()
	rows := strings.Split(strings.TrimSpace(allowed), "\n")
	if len(rows) != len(every) || len(next) != len(every) {
		t.Fatalf("%d rows, %d in the table, %d statuses", len(rows), len(next), len(every))
	}
	for i, row := range rows {
		fields := strings.Fields(row)
		if Status(fields[0]) != every[i] || len(fields) != len(every)+1 {
			t.Fatalf("row %d is %q", i, row)
		}
		for j, to := range every {
			if want := fields[j+1] == "x"; may(every[i], to) != want {
				t.Errorf("from %s to %s: %v, want %v", every[i], to, !want, want)
			}
		}
	}
}

func TestStatusClaims(t *testing.T) {
	t.Parallel()
	var worker, settled []Status
	for _, s := range every {
		if s.OfWorker() {
			worker = append(worker, s)
		}
		if s.Settled() {
			settled = append(settled, s)
		}
	}
	if want := []Status{Starting, PairingPhone, PasskeyRequired, Connected, Reconnecting, LoggedOut, Restricted, Outdated, Replaced}; !slices.Equal(worker, want) {
		t.Errorf("of a worker: %v", worker)
	}
	if want := []Status{Idle, Connected, LoggedOut, Restricted, Outdated, Replaced, Failed}; !slices.Equal(settled, want) {
		t.Errorf("settled: %v", settled)
	}
	if Status("").OfWorker() || Status("").Settled() {
		t.Error("the empty status claims something")
	}
}
