package instances

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"switchboard/fault"
)

// Found returns the paired numbers in a store of another program that were not imported
// yet. Which viewers may see them is the caller's decision.
func (s *Supervisor) Found(ctx context.Context) ([]Paired, error) {
	if s.o.Importer == nil {
		return nil, nil
	}
	all, err := s.o.Importer.Found(ctx)
	if err != nil {
		return nil, err
	}
	here := map[string]bool{}
	for _, inst := range s.List(Viewer{All: true}) {
		here[account(inst.JID)] = true
	}
	return slices.DeleteFunc(all, func(p Paired) bool { return p.Imported || here[account(p.JID)] }), nil
}

// Import makes an instance of a found number, named after its push name or phone number.
// It returns like Create: the session is copied behind it, before the worker starts.
func (s *Supervisor) Import(ctx context.Context, v Viewer, jid string) (Instance, error) {
	found, err := s.Found(ctx)
	if err != nil {
		return Instance{}, err
	}
	i := slices.IndexFunc(found, func(p Paired) bool { return p.JID == jid })
	if i < 0 {
		return Instance{}, fault.New(fault.NotFound, "There is no such number to import, or it was imported already.")
	}
	phone, _, _ := strings.Cut(account(jid), "@")
	first, err := CheckName(found[i].PushName)
	if err != nil {
		first = "+" + phone
	}
	name := first
	for n := 2; ; n++ {
		inst, err := s.add(ctx, v, Instance{Name: name, Phone: phone, JID: jid, PushName: found[i].PushName}, "import:"+jid)
		if fault.KindOf(err) != fault.Conflict || fault.FieldOf(err) != "name" {
			return inst, err
		}
		tail := fmt.Sprintf(" %d", n)
		head := []rune(first)
		name = strings.TrimSpace(string(head[:min(len(head), maxName-len(tail))])) + tail
	}
}

// copySession brings an imported number's session into its new databases.
func (s *Supervisor) copySession(ctx context.Context, jid string, to Access) error {
	if s.o.Importer == nil {
		return fmt.Errorf("import session: there is no store to import from any more")
	}
	all, err := s.o.Importer.Found(ctx)
	if err != nil {
		return fmt.Errorf("look for session to import: %w", err)
	}
	i := slices.IndexFunc(all, func(p Paired) bool { return p.JID == jid })
	if i < 0 {
		return fmt.Errorf("import session: it is no longer in the store to import from")
	}
	if err := s.o.Importer.Copy(ctx, all[i], to); err != nil {
		return fmt.Errorf("import session: %w", err)
	}
	return nil
}

// account is a JID without its device: two devices of one account must not both be run.
func account(jid string) string {
	user, server, _ := strings.Cut(jid, "@")
	user, _, _ = strings.Cut(user, ":")
	return user + "@" + server
}
