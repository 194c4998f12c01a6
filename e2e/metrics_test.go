package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// TestMetricsAddress reads what the program tells on the port of METRICS_ADDR, to whoever
// reaches it, while a number's process is killed and comes back.
func TestMetricsAddress(t *testing.T) {
	t.Parallel()
	network := startNetwork(t)
	phone := network.addPhone("491702000001", "Grace")
	p, api := startPanelWithToken(t, network, "METRICS_ADDR=127.0.0.1:0")
	var address string
	poll(t, "the metrics have a port", func() bool {
		match := regexp.MustCompile(`"metrics are listening","address":"([^"]+)"`).FindStringSubmatch(p.stderr.String())
		if match != nil {
			address = match[1]
		}
		return match != nil
	}, nil)
	inst := api.pair(api.create("Business 01").ID, phone)
	says := func(name, labels, value string) bool {
		_, body := get(t, "http://"+address+"/metrics")
		return strings.Contains(body, fmt.Sprintf("\n%s{%s} %s\n", name, labels, value))
	}
	id := fmt.Sprintf("id=%q", inst.ID)
	if !says("switchboard_numbers", `status="connected"`, "1") || !says("switchboard_number_connected", id, "1") ||
		!says("switchboard_number_running", id, "1") || !says("switchboard_number_restarts_total", id, "0") {
		_, body := get(t, "http://"+address+"/metrics")
		t.Errorf("of a connected number it tells\n%s", body)
	}
	if err := syscall.Kill(inst.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	poll(t, "the restart is counted and the number connected again", func() bool {
		return says("switchboard_number_restarts_total", id, "1") && says("switchboard_number_connected", id, "1")
	}, nil)
	if _, body := get(t, "http://"+address+"/metrics"); strings.Contains(body, phone.number) || strings.Contains(body, "Business 01") {
		t.Error("it tells who the numbers are")
	}

	// There is nothing else at that address, and the panel's own needs a token.
	for url, want := range map[string]int{
		"http://" + address + "/":          http.StatusNotFound,
		"http://" + address + "/instances": http.StatusNotFound,
		p.url + "/metrics":                 http.StatusUnauthorized,
	} {
		if status, _ := get(t, url); status != want {
			t.Errorf("%s answers %d instead of %d", url, status, want)
		}
	}
	// A second panel cannot have the same port, and says so.
	out, err := commandIn(t.TempDir(), []string{"APP_PORT=0", "METRICS_ADDR=" + address}, "", "serve")
	if err == nil || !strings.Contains(out, "METRICS_ADDR is "+address+", where nothing can listen") {
		t.Errorf("with a port that is taken: %v\n%s", err, out)
	}
	if code := p.stop(); code != 0 {
		t.Errorf("the panel ended with %d", code)
	}
	if conn, err := net.Dial("tcp", address); err == nil {
		conn.Close()
		t.Error("the metrics outlive the panel")
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}
