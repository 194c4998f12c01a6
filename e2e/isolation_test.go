package e2e

import (
	"fmt"
	"sync"
	"syscall"
	"testing"
)

// TestOneKilled runs three numbers in conversation, ends the process of one without warning,
// and sees the other two go on as if nothing had happened.
func TestOneKilled(t *testing.T) {
	t.Parallel()
	const count = 60
	network := startNetwork(t)
	panel, api := startPanelWithToken(t, network)
	other := network.addPhone(friend, "Grace")

	numbers := make([]instance, 3)
	phones := make([]*handset, 3)
	for i := range numbers {
		phones[i] = network.addPhone(fmt.Sprintf("4917000001%02d", i), fmt.Sprintf("Phone %d", i))
		numbers[i] = api.create(fmt.Sprintf("Number %d", i))
	}
	for i := range numbers {
		numbers[i] = api.pair(numbers[i].ID, phones[i])
	}
	killed, undisturbed := 1, []int{0, 2}
	before := network.connections()

	// Both directions of both conversations run at once; in the middle, the third dies.
	var middle, all sync.WaitGroup
	for _, i := range undisturbed {
		middle.Add(2)
		converse := func(say func(n int)) {
			all.Go(func() {
				for n := range count {
					if n == count/2 {
						middle.Done()
					}
					say(n)
				}
			})
		}
		converse(func(n int) { api.send(numbers[i].ID, friend, fmt.Sprintf("%d says %d", i, n)) })
		converse(func(n int) { other.send(phones[i].number, fmt.Sprintf("%d hears %d", i, n)) })
	}
	middle.Wait()
	if err := syscall.Kill(numbers[killed].PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	other.send(phones[killed].number, "sent while it was away")
	all.Wait()

	after := network.connections()
	for _, i := range undisturbed {
		if now := api.get(numbers[i].ID); now.PID != numbers[i].PID || now.Status != "connected" || now.Restarts != 0 {
			t.Errorf("number %d was process %d and is now %+v", i, numbers[i].PID, now)
		}
		if was, is := before[phones[i].number], after[phones[i].number]; was.ID != is.ID {
			t.Errorf("number %d had connection %d and now has %d", i, was.ID, is.ID)
		}
		var said, heard []string
		for n := range count {
			said, heard = append(said, fmt.Sprintf("%d says %d", i, n)), append(heard, fmt.Sprintf("%d hears %d", i, n))
		}
		// A message that the phone could not read at first comes again, behind later ones.
		poll(t, "everything has arrived", func() bool { return len(other.texts(phones[i].number)) >= count }, func() string {
			return fmt.Sprintf("%d of %d have, %d were unreadable at first", len(other.texts(phones[i].number)), count, other.state().Undecryptable)
		})
		once(t, "arrived", other.texts(phones[i].number), said)
		poll(t, "everything is stored", func() bool { return len(panel.talk(numbers[i]).in) >= count }, nil)
		stored := panel.talk(numbers[i])
		once(t, "stored, out", stored.out, said)
		once(t, "stored, in", stored.in, heard)
		if stored.undecryptable != 0 {
			t.Errorf("number %d could not read %d messages", i, stored.undecryptable)
		}
	}

	// The third is back by itself, in a new process, and has missed nothing.
	back := api.becomes(numbers[killed].ID, "connected")
	if back.PID == numbers[killed].PID || back.Restarts != 1 {
		t.Errorf("the killed number was process %d and is now %+v", numbers[killed].PID, back)
	}
	poll(t, "what was sent meanwhile is stored", func() bool {
		return panel.talk(numbers[killed]).in["sent while it was away"] == 1
	}, nil)
}

// TestPanelComesBack ends the panel in the two ways in which numbers go on without it, and
// starts it again: it adopts the number, whose connection never noticed.
func TestPanelComesBack(t *testing.T) {
	t.Parallel()
	network := startNetwork(t)
	phone, other := network.addPhone(own, "Ada"), network.addPhone(friend, "Grace")
	panel, api := startPanelWithToken(t, network)
	inst := api.pair(api.create("Lasting").ID, phone)
	connection := network.connections()[own]

	back := func(said string, flags ...string) {
		t.Helper()
		if !alive(inst.PID) {
			t.Fatal("the number has ended with the panel")
		}
		other.send(own, said)
		panel.serve(t, flags...)
		api = panel.withToken()
		if now := api.becomes(inst.ID, "connected"); now.PID != inst.PID || now.Restarts != 0 {
			t.Errorf("the number was %+v and is %+v", inst, now)
		}
		if now := network.connections()[own]; now.ID != connection.ID {
			t.Errorf("the connection was %d and is %d", connection.ID, now.ID)
		}
		poll(t, "what was sent without a panel is stored", func() bool { return panel.talk(inst).in[said] == 1 }, nil)
		api.send(inst.ID, friend, "after: "+said)
		other.receives(own, "after: "+said)
	}

	if err := panel.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	panel.wait()
	back("said while the panel was dead", "--detach-workers")
	if code := panel.stop(); code != 0 {
		t.Errorf("a panel that leaves its numbers behind ends with %d", code)
	}
	back("said while the panel was away")

	// Without the flag, the numbers end with the panel.
	if code := panel.stop(); code != 0 {
		t.Errorf("the panel ends with %d", code)
	}
	if alive(inst.PID) || listening(inst.Port) {
		t.Errorf("the number goes on: process %v, port %v", alive(inst.PID), listening(inst.Port))
	}
}
