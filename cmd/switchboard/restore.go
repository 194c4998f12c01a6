package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"switchboard/archive"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/moving"
	"switchboard/views"
)

// restoring is what the flags of restore say.
type restoring struct {
	in, deleted       string
	list, listDeleted bool
	secret            passphrase
	o                 moving.RestoreOptions
}

// restore brings back a backup, or a number that was deleted. No panel may run.
func restore(ctx context.Context, env environment, args []string) error {
	var r restoring
	c, err := loadConfig("restore", args, env, func(f *flag.FlagSet) {
		f.StringVar(&r.in, "in", "", "`file` to restore")
		f.StringVar((*string)(&r.o.Only), "number", "", "`id` of the one number to restore (default everything in the file)")
		f.StringVar(&r.o.Name, "name", "", "name for a single number, in the place of the one it had")
		f.BoolVar(&r.o.Replace, "replace", false, "replace what exists")
		f.BoolVar(&r.o.WithoutMedia, "without-media", false, "leave pictures and files of messages in the backup")
		f.BoolVar(&r.list, "list", false, "check the file and say what is in it, and restore nothing")
		f.StringVar(&r.deleted, "deleted", "", "`id` of a deleted number to restore")
		f.BoolVar(&r.listDeleted, "list-deleted", false, "list the deleted numbers that can be restored")
		r.secret.flags(f)
	})
	if err != nil {
		return err
	}
	given := 0
	for _, is := range []bool{r.in != "", r.deleted != "", r.listDeleted} {
		if is {
			given++
		}
	}
	if given != 1 {
		return refuse("`switchboard restore` needs one of --in, --deleted and --list-deleted. See `switchboard restore --help`.")
	}
	switch {
	case r.listDeleted:
		return listDeleted(ctx, env, c)
	case r.deleted != "":
		return restoreDeleted(ctx, env, c, r)
	}
	key, err := r.secret.read(env, "restore", false)
	if err != nil {
		return err
	}
	open, closing, err := openBackup(r.in, key)
	if err != nil {
		return err
	}
	defer closing()
	if r.list {
		return listBackup(env, open)
	}
	return restoreFrom(ctx, env, c, r, open)
}

// openBackup opens a file, and returns a function that begins to read it.
func openBackup(path string, key archive.Key) (open func() (*archive.Reader, error), closing func(), err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, refuse("The backup cannot be read: %s.", reasonOf(err))
	}
	open = func() (*archive.Reader, error) {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return nil, refuse("The backup cannot be read twice: %s. Put it into a file.", reasonOf(err))
		}
		return archive.NewReader(file, key)
	}
	return open, func() { _ = file.Close() }, nil
}

func listBackup(env environment, open func() (*archive.Reader, error)) error {
	r, err := open()
	if err != nil {
		return err
	}
	all, err := r.Summary(nil)
	if err != nil {
		return err
	}
	what := "single numbers"
	if r.Header.Whole {
		what = "a whole installation"
	}
	fmt.Fprintf(env.stdout, "The backup is complete and unaltered. It holds %s, written by %s on %s.\n", what, r.Header.Program, when(r.Header.CreatedAt))
	table := tabwriter.NewWriter(env.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tNAME\tPAIRED\tFILES")
	for _, n := range all.Numbers {
		files := all.Files[n.ID]
		held := fmt.Sprintf("%d (%s)", files.Count, views.Size(files.Bytes))
		if files.Without || r.Header.Format < archive.WithFiles {
			held += ", without media"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", n.ID, n.Name, pairedIn(n), held)
	}
	return table.Flush()
}

// pairedIn says whether a number goes on without a new scan after it was restored.
func pairedIn(n archive.Number) string {
	switch {
	case n.JID == "":
		return "no"
	case n.Linked == nil || *n.Linked:
		return "yes"
	}
	return "not any more"
}

func restoreFrom(ctx context.Context, env environment, c config, r restoring, open func() (*archive.Reader, error)) error {
	in, err := openInstallation(ctx, c, opening{alone: true})
	if err != nil {
		return err
	}
	defer in.release()
	return in.restore(ctx, env, c, r.o, open)
}

func (in *installation) restore(ctx context.Context, env environment, c config, o moving.RestoreOptions, open func() (*archive.Reader, error)) error {
	kept, err := deletedNumbers(in.storage, c.KeepDeleted)
	if err != nil {
		return err
	}
	o.BeforeReplace = func(ctx context.Context, id instances.ID) error {
		_, err := kept.Keep(ctx, in.Installation, id)
		return err
	}
	bar := newProgress(env.stderr)
	restored, err := in.Restore(ctx, open, o, bar.show)
	bar.end()
	for _, inst := range restored {
		fmt.Fprintf(env.stdout, "Restored %s (%s).", inst.Name, inst.ID)
		if inst.Desired == instances.Stopped {
			fmt.Fprint(env.stdout, " It was stopped and stays so: start it on its page.")
		}
		fmt.Fprintln(env.stdout)
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(env.stdout, "Done. Never run a number here and in the place that it was backed up from at the same time.")
	return nil
}

// restoreDeleted brings back the newest last backup of a number.
func restoreDeleted(ctx context.Context, env environment, c config, r restoring) error {
	in, err := openInstallation(ctx, c, opening{alone: true})
	if err != nil {
		return err
	}
	defer in.release()
	kept, err := deletedNumbers(in.storage, c.KeepDeleted)
	if err != nil {
		return err
	}
	all, err := kept.List()
	if err != nil {
		return err
	}
	for _, k := range all {
		if string(k.ID) == r.deleted {
			open, closing, err := openBackup(k.Path, kept.Key)
			if err != nil {
				return err
			}
			defer closing()
			return in.restore(ctx, env, c, r.o, open)
		}
	}
	return fault.New(fault.NotFound, fmt.Sprintf("No backup of a deleted number %s is kept; see `switchboard restore --list-deleted`.", r.deleted))
}

func listDeleted(ctx context.Context, env environment, c config) error {
	s, err := openStorage(ctx, c, false)
	if err != nil {
		return err
	}
	defer s.Close()
	kept, err := deletedNumbers(s, c.KeepDeleted)
	if err != nil {
		return err
	}
	all, err := kept.List()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(env.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tDELETED\tKEPT UNTIL\tBYTES\tPAIRED")
	for _, k := range all {
		paired := "unknown"
		if was, err := kept.Record(k); err == nil {
			paired = pairedIn(was)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\n", k.ID, when(k.At), when(k.Until), k.Bytes, paired)
	}
	return table.Flush()
}
