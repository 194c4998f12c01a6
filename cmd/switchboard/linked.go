package main

import (
	"context"
	"strings"
	"sync"

	"switchboard/audit"
	"switchboard/instances"
)

// linked writes into the audit log which phone a number was linked to. Nobody asks the panel
// for it: somebody scans a code, and WhatsApp tells the number's process.
type linked struct {
	record *audit.Log // set before the first change
	adding sync.WaitGroup
}

// changed is told every change of status.
func (l *linked) changed(before, after instances.Instance) {
	if before.ID == "" || after.ID == "" || after.JID == "" || before.JID == after.JID {
		return
	}
	phone, _, _ := strings.Cut(after.JID, "@")
	phone, _, _ = strings.Cut(phone, ":")
	l.adding.Go(func() {
		l.record.Add(context.Background(), audit.Entry{
			Via: "phone", Action: "instances.linked", Instance: string(after.ID), Target: "…" + phone[max(0, len(phone)-4):], Result: audit.OK,
		})
	})
}
