package simulator_test

import (
	"fmt"
	"log/slog"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"switchboard/whatsapp/simulator"
)

func startNetwork(t testing.TB, dir, listen string) *simulator.Network {
	t.Helper()
	n, err := simulator.Open(t.Context(), simulator.Options{Dir: dir, Listen: listen, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	check(t, err)
	t.Cleanup(func() { _ = n.Close() })
	return n
}

func TestWrongKeyIsRefused(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, t.TempDir(), "127.0.0.1:0")
	a := rawAccount(t, n, "4915100000001")
	b := rawAccount(t, n, "4915100000002")
	a.noise = b.noise
	a.dial(n.Addr())
	failure := a.wait("failure", func(n *waBinary.Node) bool { return n.Tag == "failure" })
	if failure.Attrs["reason"] != "401" {
		t.Errorf("refused with %v", failure.Attrs)
	}
	<-a.gone
}

// Whatever a client has not confirmed comes again, in order and marked, also over a restart
// of the program; what it has confirmed does not.
func TestKeepsUntilConfirmed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := startNetwork(t, dir, "127.0.0.1:0")
	a, b := rawAccount(t, n, "4915100000001"), rawAccount(t, n, "4915100000002")
	a.login(n.Addr())
	for i := range 5 {
		id := fmt.Sprintf("M%d", i)
		a.message(id, b.lid, id, b.lid)
		a.wait("ack of "+id, isAck(id))
	}
	b.login(n.Addr())
	for _, id := range []string{"M0", "M2"} {
		b.confirm(b.wait(id, isMessage(id)))
		b.wait("ack of the receipt", isAck(id))
	}
	b.close()
	a.close()
	if queued := n.Devices(b.jid.User)[0].Queued; queued != 3 {
		t.Errorf("%d stanzas are queued", queued)
	}
	check(t, n.Close())

	n = startNetwork(t, dir, n.Addr())
	b.login(n.Addr())
	var got []string
	b.wait("the last one", isMessage("M4"))
	b.wait("the end of the backlog", func(n *waBinary.Node) bool { _, ok := n.GetOptionalChildByTag("offline"); return ok })
	b.mu.Lock()
	for _, s := range b.stanzas {
		if s.Tag == "message" {
			got = append(got, text(s))
			if _, marked := s.Attrs["offline"]; !marked {
				t.Errorf("%s came from the backlog without a mark", text(s))
			}
			if s.Attrs["from"] != a.lid || s.Attrs["sender_pn"] != a.jid {
				t.Errorf("addresses: %v", s.Attrs)
			}
		}
	}
	b.mu.Unlock()
	if fmt.Sprint(got) != "[M1 M3 M4]" {
		t.Errorf("came again: %v", got)
	}
}

func TestRepeatedFrameIsDeliveredOnce(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, t.TempDir(), "127.0.0.1:0")
	a, b := rawAccount(t, n, "4915100000001"), rawAccount(t, n, "4915100000002")
	a.login(n.Addr())
	b.login(n.Addr())
	a.message("M1", b.lid, "once", b.lid)
	a.wait("ack", isAck("M1"))
	a.close()
	a.login(n.Addr())
	a.message("M1", b.lid, "once", b.lid)
	a.wait("ack of the repetition", isAck("M1"))
	a.message("M2", b.lid, "then", b.lid)
	b.wait("M2", isMessage("M2"))
	if count := b.count(isMessage("M1")); count != 1 {
		t.Errorf("delivered %d times", count)
	}
}

// The hash in an acknowledgement tells the sender that it left a device out or named one
// that is gone, and is missing when all is well.
func TestAckTellsOfUnknownDevices(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, t.TempDir(), "127.0.0.1:0")
	a, b := rawAccount(t, n, "4915100000001"), rawAccount(t, n, "4915100000002")
	a.login(n.Addr())
	gone := b.lid
	gone.Device = 9
	for id, tt := range map[string]struct {
		devices []types.JID
		hash    bool
	}{
		"all":  {[]types.JID{b.lid}, false},
		"none": {nil, true},
		"gone": {[]types.JID{b.lid, gone}, true},
	} {
		a.message(id, b.lid, id, tt.devices...)
		if _, hash := a.wait(id, isAck(id)).Attrs["phash"]; hash != tt.hash {
			t.Errorf("%s: hash in the acknowledgement: %v", id, hash)
		}
	}
	a.message("nobody", types.NewJID("999999999999999", types.HiddenUserServer), "?")
	if ack := a.wait("ack", isAck("nobody")); ack.Attrs["error"] != "404" {
		t.Errorf("to nobody: %v", ack.Attrs)
	}
}

func TestEveryIqIsAnswered(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, t.TempDir(), "127.0.0.1:0")
	a := rawAccount(t, n, "4915100000001")
	a.login(n.Addr())
	for _, xmlns := range []string{
		"w:p", "md", "passive", "encrypt", "usync", "w:m", "w:sync:app:state", "privacy", "blocklist", "status", "w:mex",
		"w:profile:picture", "w:g2", "disappearing_mode", "urn:xmpp:whatsapp:dirty", "urn:xmpp:whatsapp:push", "newsletter", "tos", "nonsense",
	} {
		for _, kind := range []string{"get", "set"} {
			for _, to := range []types.JID{types.ServerJID, types.GroupServerJID, types.NewJID("120363000000000000", types.GroupServer)} {
				a.ask(xmlns, kind, to)
				a.ask(xmlns, kind, to, waBinary.Node{Tag: "nonsense"})
			}
		}
	}
	answer := a.ask("nonsense", "get", types.ServerJID)
	if e := answer.GetChildByTag("error"); e.Attrs["code"] != "501" {
		t.Errorf("unknown: %v", answer)
	}
	if s := n.Stats(); s.UnknownIqs == 0 || s.Iqs < s.UnknownIqs {
		t.Errorf("stats: %+v", s)
	}
	if len(n.Connections()) != 1 {
		t.Error("the connection did not survive")
	}
}

// A backlog longer than a client's own queue is handed out as it is being confirmed, and
// nothing overtakes it.
func TestLongBacklogKeepsItsOrder(t *testing.T) {
	t.Parallel()
	const backlog, more = 3000, 100
	n := startNetwork(t, t.TempDir(), "127.0.0.1:0")
	a, b := rawAccount(t, n, "4915100000001"), rawAccount(t, n, "4915100000002")
	a.login(n.Addr())
	for i := range backlog {
		a.message(fmt.Sprint(i), b.lid, fmt.Sprint(i), b.lid)
	}
	a.wait("the last ack", isAck(fmt.Sprint(backlog-1)))
	next := 0
	done := make(chan struct{})
	b.first = func(s *waBinary.Node) {
		if s.Tag != "message" {
			return
		}
		if text(s) != fmt.Sprint(next) {
			t.Errorf("%s came where %d was due", text(s), next)
		}
		b.confirm(s)
		if next++; next == backlog+more {
			close(done)
		}
	}
	b.login(n.Addr())
	for i := range more {
		id := fmt.Sprint(backlog + i)
		a.message(id, b.lid, id, b.lid)
	}
	<-done
}

// Two devices write at once: the later one is told what it lacks.
func TestAppStateConflict(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, t.TempDir(), "127.0.0.1:0")
	a := rawAccount(t, n, "4915100000001")
	a.login(n.Addr())
	patch := func(version int) *waBinary.Node {
		answer := a.ask("w:sync:app:state", "set", types.ServerJID, waBinary.Node{Tag: "sync", Content: []waBinary.Node{{
			Tag: "collection", Attrs: waBinary.Attrs{"name": "regular", "version": version, "return_snapshot": false},
			Content: []waBinary.Node{{Tag: "patch", Content: []byte{}}},
		}}})
		collection := answer.GetChildByTag("sync", "collection")
		return &collection
	}
	if first := patch(0); first.Attrs["type"] == "error" {
		t.Errorf("first patch: %v", first)
	}
	second := patch(0)
	reason, lacks := second.GetChildByTag("error"), second.GetChildByTag("patches")
	if second.Attrs["type"] != "error" || reason.Attrs["code"] != "409" || len(lacks.GetChildren()) != 1 {
		t.Errorf("second patch: %v", second)
	}
	if third := patch(1); third.Attrs["type"] == "error" {
		t.Errorf("after the conflict: %v", third)
	}
}

// A message to a number is answered for the number, one to a LID for the LID.
func TestBothAddresses(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, t.TempDir(), "127.0.0.1:0")
	a, b := rawAccount(t, n, "4915100000001"), rawAccount(t, n, "4915100000002")
	a.login(n.Addr())
	b.login(n.Addr())
	for id, tt := range map[string]struct {
		to, from    types.JID
		other       string
		otherSender types.JID
	}{
		"PN":  {b.jid, a.jid, "sender_lid", a.lid},
		"LID": {b.lid, a.lid, "sender_pn", a.jid},
	} {
		a.message(id, tt.to, id, tt.to)
		got := b.wait(id, isMessage(id))
		if got.Attrs["from"] != tt.from || got.Attrs[tt.other] != tt.otherSender {
			t.Errorf("%s: %v", id, got.Attrs)
		}
		b.confirm(got)
		receipt := a.wait("receipt", func(n *waBinary.Node) bool { return n.Tag == "receipt" && n.Attrs["id"] == id })
		if receipt.Attrs["from"] != tt.to {
			t.Errorf("%s: receipt %v", id, receipt.Attrs)
		}
	}
}

// One-time keys are handed out once each, in order, and the owner hears when few are left.
func TestPreKeys(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, t.TempDir(), "127.0.0.1:0")
	a, b := rawAccount(t, n, "4915100000001"), rawAccount(t, n, "4915100000002")
	a.login(n.Addr())
	b.login(n.Addr())
	upload := func(ids ...byte) {
		var keys []waBinary.Node
		for _, id := range ids {
			keys = append(keys, waBinary.Node{Tag: "key", Content: []waBinary.Node{
				{Tag: "id", Content: []byte{0, 0, id}}, {Tag: "value", Content: append(make([]byte, 31), id)},
			}})
		}
		b.ask("encrypt", "set", types.ServerJID, waBinary.Node{Tag: "registration", Content: []byte{0, 0, 0, 7}}, waBinary.Node{Tag: "list", Content: keys})
	}
	take := func() (byte, bool) {
		answer := a.ask("encrypt", "get", types.ServerJID, waBinary.Node{Tag: "key", Content: []waBinary.Node{{Tag: "user", Attrs: waBinary.Attrs{"jid": b.lid}}}})
		id, ok := answer.GetOptionalChildByTag("list", "user", "key", "id")
		if !ok {
			return 0, false
		}
		value := answer.GetChildByTag("list", "user", "key", "value")
		if got := value.Content.([]byte); got[31] != id.Content.([]byte)[2] {
			t.Errorf("key %v has value %v", id, got)
		}
		return id.Content.([]byte)[2], true
	}
	upload(1, 2, 3, 4, 5, 6)
	upload(6, 7) // repeated after a reconnect, with one more
	for want := byte(1); want <= 7; want++ {
		if id, ok := take(); !ok || id != want {
			t.Errorf("got key %d, %v where %d was due", id, ok, want)
		}
	}
	if id, ok := take(); ok {
		t.Errorf("key %d was handed out twice", id)
	}
	b.wait("a warning", func(n *waBinary.Node) bool { return n.Tag == "notification" && n.Attrs["type"] == "encrypt" })
	count := b.ask("encrypt", "get", types.ServerJID, waBinary.Node{Tag: "count"})
	if c := count.GetChildByTag("count"); c.Attrs["value"] != "0" {
		t.Errorf("left: %v", c)
	}
}

func TestOneNetworkPerFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := startNetwork(t, dir, "127.0.0.1:0")
	if _, err := simulator.Open(t.Context(), simulator.Options{Dir: dir, Listen: "127.0.0.1:0"}); err == nil {
		t.Error("a second network was opened in the same folder")
	}
	if _, err := simulator.Open(t.Context(), simulator.Options{Dir: t.TempDir(), Listen: n.Addr()}); err == nil {
		t.Error("a second network was opened at the same address")
	}
	key := n.RootKey()
	check(t, n.Close())
	check(t, n.Close())
	if err := n.Restart(t.Context()); err == nil {
		t.Error("a closed network was restarted")
	}
	if again := startNetwork(t, dir, "127.0.0.1:0"); again.RootKey() != key {
		t.Error("the root key has changed")
	}
}

// A phone that lost its keys takes its number over; what was linked to the old one is gone.
func TestNewPhoneForAnAccount(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, t.TempDir(), "127.0.0.1:0")
	old := rawAccount(t, n, "4915100000001")
	old.login(n.Addr())
	fresh := rawAccount(t, n, "4915100000001")
	<-old.gone
	if fresh.lid != old.lid {
		t.Errorf("the LID was %v and is %v", old.lid, fresh.lid)
	}
	old.dial(n.Addr())
	old.wait("failure", func(n *waBinary.Node) bool { return n.Tag == "failure" })
	fresh.login(n.Addr())
	for _, number := range []string{"", "12", "0491510000", "49x1510000", "12345678901234567"} {
		if _, err := n.AddAccount(t.Context(), simulator.Primary{Number: number}); err == nil {
			t.Errorf("%q was taken for a number", number)
		}
	}
}

// Status updates go to the devices that they name, and from nobody's number but the sender's.
func TestStatusUpdates(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, t.TempDir(), "127.0.0.1:0")
	a, b := rawAccount(t, n, "4915100000001"), rawAccount(t, n, "4915100000002")
	a.login(n.Addr())
	b.login(n.Addr())
	a.message("S1", types.StatusBroadcastJID, "sunny", b.jid)
	got := b.wait("status", isMessage("S1"))
	if got.Attrs["from"] != types.StatusBroadcastJID || got.Attrs["participant"] != a.jid || got.Attrs["participant_lid"] != a.lid {
		t.Errorf("status: %v", got.Attrs)
	}
	b.confirm(got)
	receipt := a.wait("receipt", func(n *waBinary.Node) bool { return n.Tag == "receipt" })
	if receipt.Attrs["from"] != types.StatusBroadcastJID || receipt.Attrs["participant"] != b.jid {
		t.Errorf("receipt: %v", receipt.Attrs)
	}
}

// Whatever a client sends, the network goes on.
func TestNonsenseDoesNoHarm(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, t.TempDir(), "127.0.0.1:0")
	a := rawAccount(t, n, "4915100000001")
	a.login(n.Addr())
	nobody := types.NewJID("1", "nowhere")
	for _, tag := range []string{"message", "receipt", "ack", "presence", "chatstate", "call", "ib", "iq", "nonsense"} {
		for _, to := range []types.JID{{}, nobody, a.jid, a.lid, types.ServerJID, types.GroupServerJID, types.StatusBroadcastJID} {
			for _, kind := range []string{"", "retry", "subscribe", "read", "set", "result", "error"} {
				attrs := waBinary.Attrs{"id": "X", "type": kind}
				if !to.IsEmpty() {
					attrs["to"], attrs["participant"] = to, to
				}
				a.send(waBinary.Node{Tag: tag, Attrs: attrs})
				a.send(waBinary.Node{Tag: tag, Attrs: attrs, Content: []waBinary.Node{
					{Tag: "participants", Content: []waBinary.Node{{Tag: "to"}}}, {Tag: "list"}, {Tag: "enc", Attrs: waBinary.Attrs{"type": "msg"}},
				}})
				a.send(waBinary.Node{Tag: tag, Attrs: attrs, Content: []byte("nonsense")})
			}
		}
	}
	a.ask("w:p", "get", types.ServerJID)
	if len(n.Connections()) != 1 {
		t.Error("the connection did not survive")
	}
}
