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

// BackupOptions is what goes into a backup.
type BackupOptions struct {
	// WithoutMedia leaves out pictures and files of messages. Files that wait to be sent are
	// nowhere else, and go with their messages.
	WithoutMedia bool
	// Fits, if it is set, is asked before files of so many bytes are written; its error is
	// returned.
	Fits func(id instances.ID, bytes int64) error
	Told func(Step)
}

// Written is what a backup holds.
type Written struct {
	Skipped []Skipped
	Files   Count
}

// Backup writes people and all numbers into w, beside their workers or without them. Numbers
// whose databases cannot be opened are skipped and returned; those that are just being made
// or deleted are no numbers.
func (in Installation) Backup(ctx context.Context, w *archive.Writer, o BackupOptions) (all Written, err error) {
	db, name := in.Store.Database()
	s, version, err := people.Snapshot(ctx, db, name)
	if err != nil {
		return all, err
	}
	_, err = w.Database(ctx, archive.Control, version, s)
	s.Close()
	if err != nil {
		return all, err
	}
	o.Told(Step{Name: PeopleCopied})
	numbers, err := in.Store.Instances(ctx)
	if err != nil {
		return all, err
	}
	for i, inst := range numbers {
		if inst.Status == instances.Deleting || inst.Status == instances.Provisioning {
			continue
		}
		from, err := in.open(ctx, inst.ID)
		if err != nil {
			all.Skipped = append(all.Skipped, Skipped{inst.ID, err})
			continue
		}
		step := func(name string, done int, c Count) { o.Told(Step{inst.ID, name, done, len(numbers), c}) }
		count, err := in.write(ctx, w, inst, from, o, func(c Count) { step(FileCopied, i, c) })
		if err != nil {
			return all, fmt.Errorf("back up %s: %w", inst.ID, err)
		}
		all.Files.add(count)
		step(NumberDone, i+1, count)
	}
	return all, nil
}

// BackupNumber writes one number into w. An unknown one is a fault.NotFound.
func (in Installation) BackupNumber(ctx context.Context, w *archive.Writer, id instances.ID, o BackupOptions) (Written, error) {
	inst, err := in.find(ctx, id)
	if err != nil {
		return Written{}, err
	}
	if inst == nil {
		return Written{}, fault.New(fault.NotFound, fmt.Sprintf("There is no number with the id %s.", id))
	}
	from, err := in.open(ctx, id)
	if err != nil {
		return Written{}, err
	}
	count, err := in.write(ctx, w, *inst, from, o, func(c Count) { o.Told(Step{id, FileCopied, 0, 1, c}) })
	return Written{Files: count}, err
}

// write writes a number and closes what it is read from.
func (in Installation) write(ctx context.Context, w *archive.Writer, inst instances.Instance, from *source, o BackupOptions, told func(Count)) (Count, error) {
	defer from.close()
	record := archive.Number{
		ID: string(inst.ID), Name: inst.Name, Phone: inst.Phone, JID: inst.JID, LID: inst.LID, PushName: inst.PushName,
		Desired: string(inst.Desired), Port: inst.Port, CreatedAt: inst.CreatedAt, Linked: &from.linked,
	}
	var err error
	if record.Settings, err = in.document(ctx, inst.ID); err != nil {
		return Count{}, err
	}
	users, err := in.Store.Users(ctx)
	if err != nil {
		return Count{}, err
	}
	for _, u := range users {
		if u.ID == inst.Owner {
			record.OwnerEmail = u.Email
		}
	}
	if err := w.Number(record); err != nil {
		return Count{}, err
	}
	if _, err := w.Database(ctx, archive.Keys, from.keysVersion, from.keys); err != nil {
		return Count{}, err
	}
	main := listed(from.main)
	if _, err = w.Database(ctx, archive.Main, from.mainVersion, main); err != nil {
		return Count{}, err
	}
	from.close() // files may take long, and databases keep what a snapshot shows
	return in.writeFiles(ctx, w, inst.ID, main, o, told)
}
