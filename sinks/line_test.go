package sinks

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// wire is a connection that a test breaks.
type wire struct{ broken, closed atomic.Bool }

func (w *wire) usable() bool { return !w.broken.Load() }
func (w *wire) close()       { w.closed.Store(true) }

func TestLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var made []*wire
		refuse := errors.New("refused")
		var failing atomic.Bool
		l := newLine(func(context.Context) (connection, error) {
			time.Sleep(time.Second) // of the test's own clock: those who come meanwhile wait for the same attempt
			if made = append(made, &wire{}); failing.Load() {
				return nil, refuse
			}
			return made[len(made)-1], nil
		})
		all := func(want error) {
			t.Helper()
			var users sync.WaitGroup
			for range AtOnce {
				users.Go(func() {
					if _, err := l.take(t.Context()); !errors.Is(err, want) {
						t.Errorf("taken with %v, want %v", err, want)
					} else if err == nil {
						l.give()
					}
				})
			}
			users.Wait()
		}
		count := func(want int) {
			t.Helper()
			if len(made) != want {
				t.Fatalf("connected %d times, want %d", len(made), want)
			}
		}
		all(nil)
		count(1) // one for all
		time.Sleep(idleAfter / 2)
		all(nil)
		time.Sleep(idleAfter * 3 / 4)
		if synctest.Wait(); made[0].closed.Load() {
			t.Error("a connection that was used lately is closed")
		}
		time.Sleep(idleAfter)
		if synctest.Wait(); !made[0].closed.Load() {
			t.Error("an idle connection stays")
		}
		all(nil)
		count(2)
		made[1].broken.Store(true)
		failing.Store(true)
		all(refuse)
		count(3) // whoever waited is told what the one attempt came to
		all(refuse)
		count(4)
		failing.Store(false)
		all(nil)
		count(5)
		if _, err := l.take(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * idleAfter)
		if synctest.Wait(); made[4].closed.Load() {
			t.Error("a connection in use is closed")
		}
		l.Close()
		if !made[4].closed.Load() {
			t.Error("what is closed stays connected")
		}
		l.give()
		all(errClosed)
		count(5)
	})
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	m := Message{Number: "shop_20260101120000", Event: "message.ack", Chat: "49170@s.whatsapp.net"}
	if got := fill("a.{number}.{event}.{chat}", m); got != "a.shop_20260101120000.message.ack.49170@s_whatsapp_net" {
		t.Errorf("it is %q", got)
	}
	if got := fill("{chat}", Message{}); got != "none" {
		t.Errorf("without a chat it is %q", got)
	}
	for template, ok := range map[string]bool{
		"{number}.{event}": true, "queue-name_1": true, "{chat}": true,
		"{name}": false, "a}": false, "a b": false, "é": false, strings.Repeat("a", longestTemplate+1): false,
	} {
		if err := checkTemplate("subject", "A subject", template); (err == nil) != ok {
			t.Errorf("%q: %v", template, err)
		}
	}
}
