package moving

import (
	"context"
	"errors"
	"fmt"
	"os"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/settings"
	"switchboard/tables"
)

// Migrate copies everything from one installation into another one of the other engine. The
// locks of both are held. The source is only read; a number that runs is a fault.Conflict.
//
// It may be called again after it was killed or failed, and then goes on: what is there
// already is compared instead of copied. A target that holds something else is a
// fault.Conflict.
func Migrate(ctx context.Context, from, to Installation, told func(Step)) error {
	if err := to.Sweep(); err != nil {
		return err
	}
	if err := movePeople(ctx, from, to); err != nil {
		return err
	}
	if err := moveSettings(ctx, from, to, settings.Shared); err != nil {
		return err
	}
	all, err := from.Store.Instances(ctx)
	if err != nil {
		return err
	}
	told(Step{Name: PeopleCopied, Total: len(all)})
	for i, inst := range all {
		step := func(name string) { told(Step{Number: inst.ID, Name: name, Done: i, Total: len(all)}) }
		if inst.Status != instances.Deleting { // that one is gone as soon as a panel runs
			if err := move(ctx, from, to, inst, step); err != nil {
				return fmt.Errorf("move %s: %w", inst.ID, err)
			}
		}
		told(Step{Number: inst.ID, Name: NumberDone, Done: i + 1, Total: len(all)})
	}
	return nil
}

// movePeople copies the control database, save the numbers.
func movePeople(ctx context.Context, from, to Installation) error {
	db, name := from.Store.Database()
	s, version, err := peopleAndSessions.Snapshot(ctx, db, name)
	if err != nil {
		return err
	}
	defer s.Close()
	target := tables.Target{Scratch: to.Dir, Clear: true}
	target.DB, target.Engine = to.Store.Database()
	users, err := to.Store.Users(ctx)
	if err != nil {
		return err
	}
	if len(users) == 0 {
		if err := peopleAndSessions.Fill(ctx, s, version, target); err != nil {
			return fmt.Errorf("move people: %w", err)
		}
		return nil
	}
	wanted, err := tables.Summed(ctx, s, target.Engine)
	if err == nil {
		err = tables.Compare(ctx, target.DB, target.Engine, s.Tables(), wanted)
	}
	if err != nil {
		return fault.Wrap(fault.Conflict,
			"The control database to move to has people of its own, or one of the two was used since a move began; choose an empty one.", err)
	}
	return nil
}

func move(ctx context.Context, from, to Installation, inst instances.Instance, told func(string)) error {
	release, err := holdBoth(ctx, from, to, inst.ID)
	if err != nil {
		return err
	}
	defer release()
	record, err := to.find(ctx, inst.ID)
	if err != nil {
		return err
	}
	if record == nil {
		if err := to.absent(ctx, inst.ID); err != nil {
			return err
		}
	}
	inst.Database = to.Databases.Names(inst.ID)
	if inst.Status == instances.Provisioning || inst.Status == instances.Failed && inst.Reason == instances.ProvisionFailed {
		// It has no databases yet. The next panel makes them.
		if record == nil {
			_, err = to.Store.AddInstance(ctx, inst, "")
		}
		if err != nil {
			return err
		}
		return moveSettings(ctx, from, to, inst.ID)
	}
	source, err := from.open(ctx, inst.ID)
	if err != nil {
		return err
	}
	defer source.close()
	if record != nil && record.Status != instances.Deleting {
		return to.same(ctx, inst.ID, source)
	}
	// No worker runs, whatever the record said when the panel ended.
	inst.Status, inst.Reason = instances.Idle, ""
	half, shared := instances.Unfinished, SameFolder(from.path(inst.ID), to.path(inst.ID))
	if shared {
		half = instances.HalfMoved
	}
	return to.bring(ctx, inst, record != nil, half, func(ctx context.Context, access instances.Access, told func(string)) error {
		if err := to.fill(ctx, keys, source.keys, source.keysVersion, access); err != nil {
			return err
		}
		told(KeysCopied)
		main := listed(source.main)
		if err := to.fill(ctx, messages, main, source.mainVersion, access); err != nil {
			return err
		}
		told(MainCopied)
		if !shared {
			if err := moveFiles(ctx, from, to, inst.ID, main); err != nil {
				return err
			}
		}
		return moveSettings(ctx, from, to, inst.ID)
	}, told)
}

// moveFiles copies the files of a number into the other storage folder.
func moveFiles(ctx context.Context, from, to Installation, id instances.ID, l *listing) error {
	here, err := from.folder(id)
	if err != nil {
		return err
	}
	defer func() { _ = here.Close() }()
	there, err := to.folder(id)
	if err != nil {
		return err
	}
	defer func() { _ = there.Close() }()
	if err := copyFiles(ctx, here, there, l); err != nil {
		return errors.Join(err, removeFiles(there))
	}
	return flush(there)
}

func moveSettings(ctx context.Context, from, to Installation, id instances.ID) error {
	s, err := from.Settings.Get(ctx, id)
	if err != nil {
		return err
	}
	return to.Settings.Replace(ctx, id, s)
}

// SameFolder tells whether two paths are one folder.
func SameFolder(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}

// holdBoth takes the lock of a number in both installations, which may share a storage folder.
func holdBoth(ctx context.Context, from, to Installation, id instances.ID) (release func(), err error) {
	mine, err := from.hold(ctx, id)
	if err != nil || SameFolder(from.Dir, to.Dir) {
		return mine, err
	}
	other, err := to.hold(ctx, id)
	if err != nil {
		mine()
		return nil, err
	}
	return func() { other(); mine() }, nil
}

// same makes sure that a number which is there already is the one to be moved.
func (in Installation) same(ctx context.Context, id instances.ID, want *source) error {
	there, err := in.open(ctx, id)
	if err != nil {
		return err
	}
	defer there.close()
	_, engine := in.Store.Database()
	for _, pair := range []struct {
		want, there *tables.Snapshot
		upgraded    bool // the move changed the schema, and may have changed what is in it
	}{
		{want.keys, there.keys, want.keysVersion != there.keysVersion},
		{want.main, there.main, want.mainVersion != there.mainVersion},
	} {
		if len(pair.want.Tables()) == 0 {
			continue
		}
		pair.there.As(pair.want.Tables())
		wanted, err := tables.Summed(ctx, pair.want, engine)
		if err != nil {
			return err
		}
		got, err := tables.Summed(ctx, pair.there, engine)
		if err != nil {
			return err
		}
		for name, sum := range wanted {
			if got[name].Rows != sum.Rows || !pair.upgraded && *got[name] != *sum {
				return fault.New(fault.Conflict, fmt.Sprintf(
					"The number %s was moved before, and one of the two copies was used since; choose an empty database to move to.", id))
			}
		}
	}
	return nil
}
