package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"switchboard/sinks/sinkstest"
)

// TestBroker has a phone send while the number's broker and then its worker are killed: all of
// it is in the broker's stream in the end, once and in order, and the password in no log.
func TestBroker(t *testing.T) {
	f := startFleet(t, 1, 26600, "EGRESS_ALLOW=127.0.0.0/8")
	number := f.numbers[0]
	broker := sinkstest.NewNATS(t, false)
	broker.Stream("events", "shop.>")
	path := "/instances/" + number.ID + "/webhooks"
	var made struct{ ID, URL string }
	f.api.call(http.MethodPost, path, map[string]any{
		"kind": "nats", "url": broker.URL("guest"), "subject": "shop.{event}", "events": []string{"message"},
	}, http.StatusCreated, &made)
	talker := f.network.addPhone("491703000001", "Talker")
	send := func(from, to int) {
		for i := from; i < to; i++ {
			talker.send(f.phones[0].number, fmt.Sprint(i))
		}
	}
	delivered := func(count int) {
		t.Helper()
		var last []struct{ State, Error string }
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-time.After(50 * time.Millisecond) {
			f.api.call(http.MethodGet, "/instances/"+number.ID+"/deliveries?state=delivered&webhook="+made.ID, nil, http.StatusOK, &last)
			if len(last) == count {
				return
			}
		}
		t.Fatalf("%d are delivered, want %d", len(last), count)
	}
	send(0, 10)
	delivered(10)
	broker.Kill()
	send(10, 20)
	if err := syscall.Kill(f.now()[number.ID].PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	f.connected()
	send(20, 30)
	broker.Start()
	delivered(30)
	var texts []string
	for _, m := range broker.Read("events") {
		var in struct{ Payload struct{ Body string } }
		if err := json.Unmarshal(m.Data(), &in); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, in.Payload.Body)
	}
	var want []string
	for i := range 30 {
		want = append(want, fmt.Sprint(i))
	}
	if strings.Join(texts, " ") != strings.Join(want, " ") {
		t.Errorf("the stream has %v", texts)
	}
	if strings.Contains(made.URL, sinkstest.Password) {
		t.Errorf("the answer has %s", made.URL)
	}
	logs := 0
	err := filepath.WalkDir(filepath.Join(f.panel.dir, "storages"), func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.Contains(entry.Name(), "log") {
			return err
		}
		logs++
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), sinkstest.Password) {
			t.Errorf("%s has the password", path)
		}
		return err
	})
	if err != nil || logs == 0 {
		t.Errorf("%d logs, %v", logs, err)
	}
}
