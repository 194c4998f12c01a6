package moving

import (
	"context"
	"fmt"

	"switchboard/archive"
	"switchboard/fault"
	"switchboard/instances"
)

// Skipped is a number that is not in a backup, and why.
type Skipped struct {
	ID  instances.ID
	Err error
}

// Backup writes people and all numbers into w, beside their workers or without them. Numbers
// whose databases cannot be opened are skipped and returned; those that are just being made
// or deleted are no numbers.
func (in Installation) Backup(ctx context.Context, w *archive.Writer, told func(Step)) ([]Skipped, error) {
	db, name := in.Store.Database()
	s, version, err := people.Snapshot(ctx, db, name)
	if err != nil {
		return nil, err
	}
	_, err = w.Database(ctx, archive.Control, version, s)
	s.Close()
	if err != nil {
		return nil, err
	}
	told(Step{Name: PeopleCopied})
	all, err := in.Store.Instances(ctx)
	if err != nil {
		return nil, err
	}
	var skipped []Skipped
	for i, inst := range all {
		if inst.Status == instances.Deleting || inst.Status == instances.Provisioning {
			continue
		}
		from, err := in.open(ctx, inst.ID)
		if err != nil {
			skipped = append(skipped, Skipped{inst.ID, err})
			continue
		}
		if err := in.write(ctx, w, inst, from); err != nil {
			return nil, fmt.Errorf("back up %s: %w", inst.ID, err)
		}
		told(Step{inst.ID, NumberDone, i + 1, len(all)})
	}
	return skipped, nil
}

// BackupNumber writes one number into w. An unknown one is a fault.NotFound.
func (in Installation) BackupNumber(ctx context.Context, w *archive.Writer, id instances.ID) error {
	inst, err := in.find(ctx, id)
	if err != nil {
		return err
	}
	if inst == nil {
		return fault.New(fault.NotFound, fmt.Sprintf("There is no number with the id %s.", id))
	}
	from, err := in.open(ctx, id)
	if err != nil {
		return err
	}
	return in.write(ctx, w, *inst, from)
}

// write writes a number and closes what it is read from.
func (in Installation) write(ctx context.Context, w *archive.Writer, inst instances.Instance, from *source) error {
	defer from.close()
	record := archive.Number{
		ID: string(inst.ID), Name: inst.Name, Phone: inst.Phone, JID: inst.JID, LID: inst.LID, PushName: inst.PushName,
		Desired: string(inst.Desired), Port: inst.Port, CreatedAt: inst.CreatedAt,
	}
	var err error
	if record.Settings, err = in.document(ctx, inst.ID); err != nil {
		return err
	}
	users, err := in.Store.Users(ctx)
	if err != nil {
		return err
	}
	for _, u := range users {
		if u.ID == inst.Owner {
			record.OwnerEmail = u.Email
		}
	}
	if err := w.Number(record); err != nil {
		return err
	}
	if _, err := w.Database(ctx, archive.Keys, from.keysVersion, from.keys); err != nil {
		return err
	}
	_, err = w.Database(ctx, archive.Main, from.mainVersion, from.main)
	return err
}
