package e2e

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"switchboard/isolation/pgtest"
	"switchboard/whatsapp/simulator/web"
)

var chaosTime = flag.Duration("chaos", 20*time.Second, "how long the tests of chaos do their worst")

// How the conversations of the chaos go, and how much comes at once when one is flooded.
const (
	chaosNumbers = 20
	chaosPace    = 250 * time.Millisecond
	chaosFlood   = 150
)

// TestChaos lets twenty numbers talk with phones without a pause while everything around
// them is killed, stopped, flooded and restarted. At the end every number is connected,
// every message of a phone is stored exactly once, and no worker was restarted that was not
// itself hit. It prints what it did.
func TestChaos(t *testing.T) { wreak(t, 26100, nil) }

// TestChaosOnPostgres does the same with databases on a server, which is restarted, too.
func TestChaosOnPostgres(t *testing.T) {
	if testing.Short() {
		t.Skip("chaos takes its time")
	}
	cluster := pgtest.Own(t, "max_connections=200")
	wreak(t, 26200, cluster, "DB_URI="+cluster.New(t).URI)
}

func wreak(t *testing.T, port int, cluster *pgtest.Cluster, vars ...string) {
	if testing.Short() {
		t.Skip("chaos takes its time")
	}
	c := newChaos(t, port, vars...)
	c.cluster = cluster
	t.Logf("seed %d", c.seed)
	c.converse()
	c.rage(*chaosTime)
	c.quiet()
	c.settle()
	c.report()
}

// chaos is a fleet in trouble.
type chaos struct {
	*fleet
	cluster *pgtest.Cluster // nil with databases in files
	seed    uint64
	random  *rand.Rand
	talkers []*handset
	url     atomic.Value // string: of the management API, which moves with every restart

	end  context.CancelFunc
	over context.Context
	busy sync.WaitGroup
	rest sync.WaitGroup // for those that are stopped for a while

	hits  map[string]int // by id: how often its worker was killed, or stopped for good
	did   map[string]int // by kind
	mu    sync.Mutex     // guards the rest
	heard [][]string     // by number: what phones have sent it
	doubt [][]string     // … and what they may have sent it
	said  [][]string     // by number: what it sent and WhatsApp took
	lost  int            // replies that were not taken
}

func newChaos(t *testing.T, port int, vars ...string) *chaos {
	f := startFleet(t, chaosNumbers, port, vars...)
	c := &chaos{fleet: f, seed: rand.Uint64(), hits: map[string]int{}, did: map[string]int{},
		heard: make([][]string, chaosNumbers), doubt: make([][]string, chaosNumbers), said: make([][]string, chaosNumbers)}
	c.random = rand.New(rand.NewPCG(c.seed, 0))
	for i := range 4 {
		c.talkers = append(c.talkers, f.network.addPhone(fmt.Sprintf("49170200%04d", i), fmt.Sprintf("Talker %d", i)))
	}
	c.url.Store(f.api.url)
	c.over, c.end = context.WithCancel(t.Context())
	t.Cleanup(func() { c.end(); c.busy.Wait(); c.rest.Wait() })
	return c
}

func (c *chaos) talker(i int) *handset { return c.talkers[i%len(c.talkers)] }

// converse begins two endless monologues for each number, one in each direction.
func (c *chaos) converse() {
	for i := range c.numbers {
		c.busy.Go(func() {
			c.monologue(func(n int) { c.tell(i, fmt.Sprintf("%d hears %d", i, n)) })
		})
		c.busy.Go(func() {
			c.monologue(func(n int) { c.answer(i, fmt.Sprintf("%d says %d", i, n)) })
		})
	}
}

func (c *chaos) monologue(say func(n int)) {
	pace := time.NewTicker(chaosPace)
	defer pace.Stop()
	for n := 0; ; n++ {
		select {
		case <-pace.C:
			say(n)
		case <-c.over.Done():
			return
		}
	}
}

// tell sends a text from a phone to a number.
func (c *chaos) tell(i int, text string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := c.network.control.Send(ctx, c.talker(i).number, c.phones[i].number, text)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.doubt[i] = append(c.doubt[i], text)
		return
	}
	c.heard[i] = append(c.heard[i], text)
}

// answer sends a text from a number to a phone, if the number and the panel are there.
func (c *chaos) answer(i int, text string) {
	taken := c.reply(c.url.Load().(string), c.numbers[i].ID, c.talker(i).number, text)
	c.mu.Lock()
	defer c.mu.Unlock()
	if taken {
		c.said[i] = append(c.said[i], text)
	} else {
		c.lost++
	}
}

// rage does something bad again and again. It begins with what only a look at the clock finds
// out: a worker that is stopped for good, and a line that falls silent.
func (c *chaos) rage(d time.Duration) {
	c.freeze(c.random.IntN(len(c.numbers)))
	c.silence(c.random.IntN(len(c.numbers)))
	over := time.After(d)
	for {
		pause := time.NewTimer(200*time.Millisecond + rand.N(time.Second))
		select {
		case <-pause.C:
		case <-over:
			pause.Stop()
			return
		}
		victim := c.random.IntN(len(c.numbers))
		switch dice := c.random.IntN(20); {
		case dice < 8:
			c.kill(victim)
		case dice < 12:
			c.pause(victim, time.Second+rand.N(6*time.Second))
		case dice < 16:
			c.flood(victim)
		case dice < 18:
			c.did["serve killed"]++
			c.killed()
			c.url.Store(c.api.url)
		case dice == 18 && c.cluster != nil:
			c.outage()
		default:
			c.did["network restarted"]++
			c.network.must(c.network.control.Restart(within(c.network.t, patience)))
		}
	}
}

// outage takes the database server away for a while.
func (c *chaos) outage() {
	c.did["PostgreSQL restarted"]++
	c.cluster.Stop()
	<-time.After(rand.N(4 * time.Second))
	c.cluster.Start(c.network.t)
	poll(c.network.t, "the panel has its database back", func() bool {
		answer, err := http.Get(c.panel.url + "/readyz")
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	}, nil)
}

// process is the present process of a number, 0 while there is none.
func (c *chaos) process(i int) int { return c.now()[c.numbers[i].ID].PID }

func (c *chaos) kill(i int) {
	if pid := c.process(i); pid != 0 && syscall.Kill(pid, syscall.SIGKILL) == nil {
		c.did["worker killed"]++
		c.hits[c.numbers[i].ID]++
	}
}

func (c *chaos) silence(i int) {
	c.did["line silenced"]++
	_, err := c.network.control.Silence(within(c.network.t, patience), web.Target{Number: c.phones[i].number}, true)
	c.network.must(err)
}

// freeze stops a worker and leaves it so.
func (c *chaos) freeze(i int) {
	if pid := c.process(i); pid != 0 && syscall.Kill(pid, syscall.SIGSTOP) == nil {
		c.did["worker frozen"]++
		c.hits[c.numbers[i].ID]++
	}
}

// pause stops a worker for a while in which nobody has to miss it.
func (c *chaos) pause(i int, d time.Duration) {
	pid := c.process(i)
	if pid == 0 || c.hits[c.numbers[i].ID] > 0 || syscall.Kill(pid, syscall.SIGSTOP) != nil {
		return // a frozen one has to stay so
	}
	c.did["worker paused"]++
	c.rest.Go(func() {
		select {
		case <-time.After(d):
		case <-c.over.Done():
		}
		_ = syscall.Kill(pid, syscall.SIGCONT)
	})
}

// flood sends many texts at once to a number.
func (c *chaos) flood(i int) {
	c.did["worker flooded"]++
	flood := c.did["worker flooded"]
	c.busy.Go(func() {
		for n := range chaosFlood {
			c.tell(i, fmt.Sprintf("flood %d drop %d", flood, n))
		}
	})
}

// quiet ends the conversations.
func (c *chaos) quiet() {
	c.end()
	c.busy.Wait()
	c.rest.Wait()
}

// settle waits until all is well and complains about everything that was lost, doubled, or
// restarted without a reason.
func (c *chaos) settle() {
	t := c.network.t
	began := time.Now()
	c.connected()
	t.Logf("all connected %s after the end", time.Since(began).Round(time.Millisecond))
	for i, inst := range c.numbers {
		want := c.heard[i]
		poll(t, "all that was sent to "+inst.ID+" is stored", func() bool {
			return c.missing(i) == 0
		}, func() string { return fmt.Sprintf("%d of %d are missing", c.missing(i), len(want)) })
		stored := c.panel.talk(inst)
		once(t, "stored by "+inst.ID, stored.in, want)
		for _, text := range c.doubt[i] {
			if stored.in[text] > 1 {
				t.Errorf("stored by %s: %q is there %d times", inst.ID, text, stored.in[text])
			}
		}
		if stored.undecryptable != 0 {
			t.Errorf("%s could not read %d messages", inst.ID, stored.undecryptable)
		}
	}
	for i := range c.numbers {
		arrived := func() map[string]int { return c.talker(i).texts(c.phones[i].number) }
		poll(t, "all that "+c.numbers[i].ID+" sent has arrived", func() bool {
			return len(absent(c.said[i], arrived())) == 0
		}, func() string { return fmt.Sprintf("missing are %q", absent(c.said[i], arrived())) })
		once(t, "arrived from "+c.numbers[i].ID, arrived(), c.said[i])
	}
	for id, is := range c.now() {
		if hits := c.hits[id]; is.Restarts > hits {
			t.Errorf("%s was hit %d times and restarted %d times", id, hits, is.Restarts)
		}
		for _, was := range c.numbers {
			if was.ID == id && c.hits[id] == 0 && was.PID != is.PID {
				t.Errorf("%s was not hit; it was process %d and is %d", id, was.PID, is.PID)
			}
		}
	}
}

// missing counts what was sent to a number and is not stored.
func (c *chaos) missing(i int) int { return len(absent(c.heard[i], c.panel.talk(c.numbers[i]).in)) }

// absent is what of texts was not found.
func absent(texts []string, found map[string]int) (absent []string) {
	for _, text := range texts {
		if found[text] == 0 {
			absent = append(absent, text)
		}
	}
	return absent
}

func (c *chaos) report() {
	var sent, taken, doubt int
	for i := range c.numbers {
		sent, taken, doubt = sent+len(c.heard[i]), taken+len(c.said[i]), doubt+len(c.doubt[i])
	}
	var did []string
	for what, n := range c.did {
		did = append(did, fmt.Sprintf("%s %d", what, n))
	}
	c.network.t.Logf("%s; %d numbers, %d hit; phones sent %d messages (%d in doubt), numbers %d (%d not taken)",
		strings.Join(did, ", "), len(c.numbers), len(c.hits), sent, doubt, taken, c.lost)
}
