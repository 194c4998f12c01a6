package moving

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"switchboard/archive"
	"switchboard/auth"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/isolation"
	"switchboard/settings"
	"switchboard/tables"
	"switchboard/whatsapp/keystore"
)

// RestoreOptions is what Restore is to do.
type RestoreOptions struct {
	Only    instances.ID // one number of several; "" for everything that is in the backup
	Name    string       // of a single number, in the place of the one that it had
	Replace bool         // what exists is replaced
	// WithoutMedia leaves pictures and files of messages in the backup. They are fetched from
	// WhatsApp when somebody asks, as far as it has them.
	WithoutMedia bool
	// Beside restores exactly one number beside a panel that runs, whose supervisor does not know
	// it: there is no record of it, not even of one that is being deleted.
	Beside bool
	// BeforeReplace is called for each number that is going to be replaced; an error of it ends
	// the restoring.
	BeforeReplace func(ctx context.Context, id instances.ID) error
}

// Restore brings numbers out of a backup into the installation, whose lock is held, and with
// a backup of a whole installation the people. open begins to read the backup, and is called
// twice: nothing is written before all of it was read once. Numbers that exist, that run, or
// whose WhatsApp account belongs to another number here are a fault.Conflict, and then
// nothing was changed. It returns the numbers that were brought in.
func (in Installation) Restore(ctx context.Context, open func() (*archive.Reader, error), o RestoreOptions, told func(Step)) ([]instances.Instance, error) {
	if !o.Beside { // else others may be at work
		if err := in.Sweep(); err != nil {
			return nil, err
		}
	}
	first, err := open()
	if err != nil {
		return nil, err
	}
	room, err := in.room(o)
	if err != nil {
		return nil, err
	}
	found, err := first.Summary(func(s archive.Section) error { return room.look(ctx, s) })
	if err != nil {
		return nil, err
	}
	for _, p := range []tables.Versioned{people, keys, messages} {
		if err := p.Known(ctx, found.Versions[p.Name], in.Dir); err != nil {
			return nil, err
		}
	}
	plans, release, err := in.plan(ctx, found.Numbers, o)
	if err != nil {
		return nil, err
	}
	defer release()
	if first.Header.Whole && o.Only == "" && !o.Beside {
		if err := in.vacant(ctx, o.Replace); err != nil {
			return nil, err
		}
	}
	second, err := open()
	if err != nil {
		return nil, err
	}
	return in.carryOut(ctx, second, plans, o, told)
}

// planned is a number that will be restored.
type planned struct {
	inst    instances.Instance
	owner   string // e-mail address
	known   bool   // has a record
	replace bool

	settings json.RawMessage
}

// plan finds everything that stands against restoring, and takes the locks of the numbers.
func (in Installation) plan(ctx context.Context, found []archive.Number, o RestoreOptions) (_ map[string]*planned, release func(), err error) {
	if o.Only != "" {
		found = slices.DeleteFunc(slices.Clone(found), func(n archive.Number) bool { return n.ID != string(o.Only) })
		if len(found) == 0 {
			return nil, nil, &fault.Error{Kind: fault.NotFound, Field: "number", Message: fmt.Sprintf("The number %s is not in this backup.", o.Only)}
		}
	}
	if o.Beside && len(found) != 1 {
		return nil, nil, fault.InField("number", several(found))
	}
	if o.Name != "" && len(found) != 1 {
		return nil, nil, fault.New(fault.Invalid, "A new name can be given to a single number only.")
	}
	records, err := in.Store.Instances(ctx)
	if err != nil {
		return nil, nil, err
	}
	var locks []func()
	unlockAll := func() {
		for _, unlock := range locks {
			unlock()
		}
	}
	defer func() {
		if err != nil {
			unlockAll()
		}
	}()
	plans := map[string]*planned{}
	for _, n := range found {
		p, err := in.planNumber(ctx, n, o, records)
		if err != nil {
			return nil, nil, err
		}
		plans[n.ID] = p
		unlock, err := in.hold(ctx, p.inst.ID)
		if err != nil {
			return nil, nil, err
		}
		locks = append(locks, unlock)
	}
	return plans, unlockAll, nil
}

// several says which numbers a backup holds.
func several(found []archive.Number) string {
	if len(found) == 0 {
		return "This backup holds no number."
	}
	const most = 20
	var ids []string
	for _, n := range found[:min(len(found), most)] {
		ids = append(ids, n.ID)
	}
	text := strings.Join(ids, ", ")
	if len(found) > most {
		text += " and others"
	}
	return fmt.Sprintf("This backup holds %d numbers. Write here which one you want: %s.", len(found), text)
}

func (in Installation) planNumber(ctx context.Context, n archive.Number, o RestoreOptions, records []instances.Instance) (*planned, error) {
	inst := instances.Instance{
		ID: instances.ID(n.ID), Name: n.Name, Phone: n.Phone, JID: n.JID, LID: n.LID, PushName: n.PushName,
		Desired: instances.Desired(n.Desired), Status: instances.Idle, Since: n.CreatedAt, Port: n.Port, CreatedAt: n.CreatedAt,
	}
	if o.Name != "" {
		inst.Name = o.Name
	}
	var err error
	if inst.Name, err = instances.CheckName(inst.Name); err != nil {
		return nil, err
	}
	if !inst.ID.Valid() || inst.Desired != instances.Running && inst.Desired != instances.Stopped {
		return nil, fault.New(fault.Invalid, "This backup holds a number that cannot be one.")
	}
	p := &planned{owner: n.OwnerEmail}
	for _, r := range records {
		switch {
		case r.ID == inst.ID && o.Beside:
			return nil, fault.New(fault.Conflict, fmt.Sprintf(
				"The number %s is still here, as “%s”. Delete it first, and wait until it is gone; it leaves a last backup.", n.ID, r.Name))
		case r.ID == inst.ID:
			p.known, p.replace = true, r.Status != instances.Deleting
			inst.Port, inst.Owner = r.Port, r.Owner
		case inst.JID != "" && account(r.JID) == account(inst.JID):
			return nil, fault.New(fault.Conflict, fmt.Sprintf(
				"The WhatsApp account of %s belongs to the number %s here; delete that one first, because two would take the connection from each other.", n.ID, r.ID))
		case strings.EqualFold(r.Name, inst.Name):
			return nil, &fault.Error{Kind: fault.Conflict, Field: "name", Message: fmt.Sprintf(
				"There is already a number called “%s”; give the restored one another name, or rename that one.", r.Name)}
		}
	}
	if p.replace && !o.Replace {
		return nil, fault.New(fault.Conflict, fmt.Sprintf("The number %s exists; it is only replaced with --replace.", n.ID))
	}
	if !p.known {
		if err := in.absent(ctx, inst.ID); err != nil {
			return nil, err
		}
	}
	p.inst = inst
	return p, nil
}

// absent makes sure that a number without a record has no databases either: nobody knows
// what is in them.
func (in Installation) absent(ctx context.Context, id instances.ID) error {
	there, err := in.Databases.Exists(ctx, id)
	if err == nil && there {
		err = fault.New(fault.Conflict, fmt.Sprintf(
			"There are databases of %s that no record knows; move them away first.", id))
	}
	return err
}

// vacant makes sure that nobody's account is overwritten unasked.
func (in Installation) vacant(ctx context.Context, replace bool) error {
	users, err := in.Store.Users(ctx)
	if err == nil && len(users) > 0 && !replace {
		err = fault.New(fault.Conflict,
			"This installation has people already; a whole backup replaces them only with --replace. A single number is restored with --number.")
	}
	return err
}

// carryOut reads the backup for the second time, and writes.
func (in Installation) carryOut(ctx context.Context, r *archive.Reader, plans map[string]*planned, o RestoreOptions, told func(Step)) ([]instances.Instance, error) {
	var restored []instances.Instance
	for {
		section, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return restored, nil
		case err != nil:
			return restored, err
		case section.Database != nil && section.Database.Part == archive.Control && o.Only == "" && !o.Beside:
			db, name := in.Store.Database()
			if err := people.Fill(ctx, section.Database, section.Database.Version, tables.Target{DB: db, Engine: name, Scratch: in.Dir, Clear: true}); err != nil {
				return restored, fmt.Errorf("restore people: %w", err)
			}
			if err := in.set(ctx, settings.Shared, r.Header.Settings); err != nil {
				return restored, err
			}
			told(Step{Name: PeopleCopied, Total: len(plans)})
		case section.Number != nil && plans[section.Number.ID] != nil:
			p := plans[section.Number.ID]
			p.settings = section.Number.Settings
			var files Count
			step := func(name string) { told(Step{p.inst.ID, name, len(restored), len(plans), files}) }
			copied := func(c Count) { files = c; step(FileCopied) }
			if err := in.restore(ctx, r, p, o, step, copied); err != nil {
				return restored, fmt.Errorf("restore %s: %w", p.inst.ID, err)
			}
			restored = append(restored, p.inst)
			step(NumberDone)
		}
	}
}

// restore brings in the number whose databases and files come next.
func (in Installation) restore(ctx context.Context, r *archive.Reader, p *planned, o RestoreOptions, told func(string), copied func(Count)) error {
	if p.replace && o.BeforeReplace != nil {
		if err := o.BeforeReplace(ctx, p.inst.ID); err != nil {
			return err
		}
	}
	if err := in.settle(ctx, p); err != nil {
		return err
	}
	return in.bring(ctx, p.inst, p.known, instances.Unfinished, func(ctx context.Context, access instances.Access, told func(string)) (err error) {
		root, err := in.folder(p.inst.ID) // hold has made it
		if err != nil {
			return err
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, removeFiles(root))
			}
			_ = root.Close()
		}()
		var main *listing
		for _, part := range []tables.Versioned{keys, messages} {
			section, err := r.Next()
			if err != nil {
				return err
			}
			c := section.Database
			if c == nil || c.Part != part.Name {
				return fmt.Errorf("read backup: the part %s is missing", part.Name)
			}
			main = listed(c)
			if err := in.fill(ctx, part, main, c.Version, access); err != nil {
				return err
			}
			if part.Name == archive.Keys {
				if err := rewind(ctx, access); err != nil {
					return err
				}
			}
			told(map[string]string{archive.Keys: KeysCopied, archive.Main: MainCopied}[part.Name])
		}
		if r.Header.Format >= archive.WithFiles {
			section, err := r.Next()
			if err != nil {
				return err
			}
			if section.Files == nil {
				return errors.New("read backup: the files are missing")
			}
			if err := readFiles(ctx, root, section.Files, main, o.WithoutMedia, copied); err != nil {
				return err
			}
		}
		if err := in.settleFiles(ctx, root, main, access); err != nil {
			return err
		}
		return in.set(ctx, p.inst.ID, p.settings)
	}, told)
}

// rewind prepares keys that may be older than what the number has sent.
func rewind(ctx context.Context, access instances.Access) error {
	db, _, err := isolation.OpenKeys(ctx, access)
	if err != nil {
		return err
	}
	return errors.Join(keystore.Rewind(ctx, db, access.Engine), db.Close())
}

// settle gives a number that is new here an owner and a port.
func (in Installation) settle(ctx context.Context, p *planned) error {
	p.inst.Database = in.Databases.Names(p.inst.ID)
	if p.known {
		return nil
	}
	users, err := in.Store.Users(ctx)
	if err != nil {
		return err
	}
	for _, u := range slices.Backward(users) { // the oldest owner, unless the number's own is here
		if u.Role == auth.Owner {
			p.inst.Owner = u.ID
		}
	}
	for _, u := range users {
		if u.Email == p.owner {
			p.inst.Owner = u.ID
		}
	}
	p.inst.Port, err = in.port(ctx, p.inst.Port)
	return err
}

// port returns the wished port, or else the lowest one that belongs to no number.
func (in Installation) port(ctx context.Context, wish int) (int, error) {
	all, err := in.Store.Instances(ctx)
	if err != nil {
		return 0, err
	}
	taken := map[int]bool{}
	for _, inst := range all {
		taken[inst.Port] = true
	}
	if wish >= in.PortStart && wish <= 65535 && !taken[wish] {
		return wish, nil
	}
	for port := in.PortStart; port <= 65535; port++ {
		if !taken[port] && in.PortFree(port) {
			return port, nil
		}
	}
	return 0, fault.New(fault.Unavailable, "No port is free for another number.")
}

// account is a JID without its device.
func account(jid string) string {
	user, server, _ := strings.Cut(jid, "@")
	user, _, _ = strings.Cut(user, ":")
	return user + "@" + server
}
