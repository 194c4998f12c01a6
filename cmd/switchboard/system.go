package main

import (
	"context"
	"io"
	"path/filepath"

	"switchboard/archive"
	"switchboard/handlers"
	"switchboard/instances"
	"switchboard/isolation"
	"switchboard/moving"
	"switchboard/store"
	"switchboard/views"
)

// system shows administrators the databases, and moves single numbers in and out.
type system struct {
	store      *store.Store
	databases  *isolation.Databases
	supervisor *instances.Supervisor
	live       *moving.Live
	share      int // connections that numbers have together
}

var _ handlers.System = system{}

func (s system) Databases(ctx context.Context) (views.Databases, error) {
	shown := views.Databases{Engine: s.databases.Names("").Engine}
	n, err := connections(ctx, s.databases)
	if err != nil {
		return shown, err
	}
	if n != nil {
		on := wanted(s.supervisor.List(instances.Viewer{All: true}))
		shown.Connections = &views.Connections{
			Numbers: on, Worst: n.Worst(on, s.share), Allowed: n.Allowed, InUse: n.InUse, OfNumbers: n.OfNumbers,
		}
	}
	left, err := unknownDatabases(ctx, s.store, s.databases)
	for _, l := range left {
		shown.Unknown = append(shown.Unknown, views.Unknown{ID: l.ID, Bytes: l.Bytes})
	}
	return shown, err
}

func (s system) Deleted(context.Context) ([]views.Kept, error) {
	all, err := s.live.Kept.List()
	shown := make([]views.Kept, 0, len(all))
	for _, k := range all {
		was, damaged := s.live.Kept.Record(k)
		if damaged != nil {
			was.Name = string(k.ID)
		}
		shown = append(shown, views.Kept{File: filepath.Base(k.Path), ID: k.ID, Name: was.Name, At: k.At, Until: k.Until, Bytes: k.Bytes, Linked: was.Linked})
	}
	return shown, err
}

func (s system) Backup(ctx context.Context, to io.Writer, id instances.ID, passphrase string, withoutMedia bool) error {
	key, err := moving.NewKey(passphrase)
	if err != nil {
		return err
	}
	return s.live.Backup(ctx, to, id, key, withoutMedia)
}

func (s system) Restore(ctx context.Context, backup io.Reader, passphrase, number, name string, withoutMedia bool) (instances.ID, error) {
	return s.live.Restore(ctx, backup, archive.Passphrase(passphrase), instances.ID(number), name, withoutMedia)
}

// BringBack also starts the number: what stopped it was its deletion.
func (s system) BringBack(ctx context.Context, file string, withoutMedia bool) (instances.ID, error) {
	id, err := s.live.BringBack(ctx, file, withoutMedia)
	if err == nil {
		err = s.supervisor.Start(ctx, instances.Viewer{All: true}, id)
	}
	return id, err
}

func (s system) Forget(file string) error { return s.live.Forget(file) }
