package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"
)

// fleet is many connected numbers of one panel, each with a phone of its own.
type fleet struct {
	*panel
	network *network
	api     *api
	phones  []*handset
	numbers []instance // as they were when all were connected
}

// startFleet starts a panel with count connected numbers, whose worker ports begin at port.
func startFleet(t testing.TB, count, port int, vars ...string) *fleet {
	t.Helper()
	f := &fleet{network: startNetwork(t)}
	f.panel, f.api = startPanelWithToken(t, f.network, append([]string{fmt.Sprintf("WORKER_PORT_START=%d", port)}, vars...)...)
	for i := range count {
		f.phones = append(f.phones, f.network.addPhone(fmt.Sprintf("49170100%04d", i), fmt.Sprintf("Phone %d", i)))
		f.numbers = append(f.numbers, f.api.create(fmt.Sprintf("Number %d", i)))
		if i%50 == 49 || i == count-1 { // codes are not valid for ever
			for j := i / 50 * 50; j <= i; j++ {
				f.phones[j].scan(f.api.code(f.numbers[j].ID))
			}
		}
	}
	f.connected()
	for i, inst := range f.numbers {
		f.numbers[i] = f.now()[inst.ID]
	}
	return f
}

// restart starts the panel again, which has ended, and goes on with the same token.
func (f *fleet) restart(t testing.TB, flags ...string) {
	t.Helper()
	f.panel.serve(t, flags...)
	f.api.url = f.url + "/api/v1"
}

// now lists the numbers as they are.
func (f *fleet) now() map[string]instance {
	f.t.Helper()
	var list []instance
	f.api.call(http.MethodGet, "/instances", nil, http.StatusOK, &list)
	all := make(map[string]instance)
	for _, inst := range list {
		all[inst.ID] = inst
	}
	return all
}

// away lists the numbers that are not connected.
func (f *fleet) away() []instance {
	f.t.Helper()
	var away []instance
	for _, inst := range f.now() {
		if inst.Status != "connected" {
			away = append(away, inst)
		}
	}
	return away
}

// connected waits until every number is.
func (f *fleet) connected() {
	f.t.Helper()
	long := patience + time.Duration(len(f.numbers))*patience/100
	pollFor(f.t, long, "every number is connected", func() bool { return len(f.away()) == 0 }, func() string {
		return fmt.Sprintf("these are not: %+v", f.away())
	})
}

// undisturbed complains about numbers that are not the very process with the very
// connection that they were.
func (f *fleet) undisturbed(before map[string]int64) {
	f.t.Helper()
	now, after := f.now(), f.lines()
	for i, was := range f.numbers {
		if is := now[was.ID]; is.PID != was.PID || is.Restarts != was.Restarts {
			f.t.Errorf("%s was process %d and is now %+v", was.ID, was.PID, is)
		}
		if number := f.phones[i].number; before[number] != after[number] {
			f.t.Errorf("%s had connection %d and now has %d", was.ID, before[number], after[number])
		}
	}
}

// lines are the ids of the numbers' connections to the network.
func (f *fleet) lines() map[string]int64 {
	f.t.Helper()
	ids := make(map[string]int64)
	for number, c := range f.network.connections() {
		ids[number] = c.ID
	}
	return ids
}

// logins is how often a client has logged in to the network so far.
func (f *fleet) logins() int64 {
	f.t.Helper()
	stats, err := f.network.control.Stats(within(f.t, patience))
	f.network.must(err)
	return stats.Logins
}

// reply sends a text from a number, and says whether WhatsApp has taken it. Unlike the other
// methods it may be called by several goroutines at once.
func (f *fleet) reply(url, id, to, text string) bool {
	a := &client{t: f.t, url: url, token: f.api.token}
	status, body := a.ask(http.MethodPost, "/instances/"+id+"/api/send/message", map[string]string{"phone": to, "message": text})
	return status == http.StatusOK && json.Valid(body)
}
