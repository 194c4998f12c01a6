package moving

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"switchboard/fault"
	"switchboard/instances"
)

// Import makes a number of one that is paired in the store of another program. It belongs to
// owner, and wishes to run. An account that a number here has already is a fault.Conflict.
func (in Installation) Import(ctx context.Context, from instances.Importer, p instances.Paired, owner int64) (instances.Instance, error) {
	records, err := in.Store.Instances(ctx)
	if err != nil {
		return instances.Instance{}, err
	}
	taken := map[instances.ID]bool{}
	for _, r := range records {
		taken[r.ID] = true
		if account(r.JID) == account(p.JID) && r.Status == instances.Deleting && r.Reason == instances.Unfinished {
			if err := in.clear(ctx, r.ID); err != nil { // what an import that was killed has left
				return instances.Instance{}, err
			}
			continue
		}
		if r.JID != "" && account(r.JID) == account(p.JID) {
			return instances.Instance{}, fault.New(fault.Conflict, fmt.Sprintf(
				"This WhatsApp account belongs to the number %s here already.", r.ID))
		}
	}
	phone, _, _ := strings.Cut(account(p.JID), "@")
	first, err := instances.CheckName(p.PushName)
	if err != nil {
		first = "+" + phone
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	inst := instances.Instance{
		Name: first, Phone: phone, Owner: owner, JID: p.JID, PushName: p.PushName,
		Desired: instances.Running, Status: instances.Idle, Since: now, CreatedAt: now,
	}
	inst.ID = instances.NewID(first, now, func(id instances.ID) bool { return taken[id] })
	inst.Database = in.Databases.Names(inst.ID)
	if inst.Port, err = in.port(ctx, 0); err != nil {
		return instances.Instance{}, err
	}
	if err := in.absent(ctx, inst.ID); err != nil {
		return instances.Instance{}, err
	}
	copying := func(ctx context.Context, access instances.Access, _ func(string)) error {
		return from.Copy(ctx, p, access)
	}
	for n := 2; ; n++ {
		err = in.bring(ctx, inst, false, instances.Unfinished, copying, func(string) {})
		var taken *fault.Error
		if !errors.As(err, &taken) || taken.Kind != fault.Conflict || taken.Field != "name" {
			return inst, err
		}
		tail := fmt.Sprintf(" %d", n)
		head := []rune(first)
		inst.Name = strings.TrimSpace(string(head[:min(len(head), 80-len(tail))])) + tail
	}
}
