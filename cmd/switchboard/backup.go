package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"switchboard/archive"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/moving"
)

// backup writes everything, or one number, into an encrypted file, whether the server runs
// or not.
func backup(ctx context.Context, env environment, args []string) error {
	var out, number string
	var o moving.BackupOptions
	var secret passphrase
	c, err := loadConfig("backup", args, env, func(f *flag.FlagSet) {
		f.StringVar(&out, "out", "", "`file` to write, which must not exist")
		f.StringVar(&number, "number", "", "`id` of the one number to back up (default everything)")
		f.BoolVar(&o.WithoutMedia, "without-media", false, "leave out pictures and files of messages")
		secret.flags(f)
	})
	if err != nil {
		return err
	}
	if err := required("backup", flagged{"--out", out != ""}); err != nil {
		return err
	}
	key, err := secret.read(env, "backup", true)
	if err != nil {
		return err
	}
	if err := mustBeThere(c); err != nil {
		return err
	}
	in, err := openInstallation(ctx, c, opening{})
	if err != nil {
		return err
	}
	defer in.release()
	bar := newProgress(env.stderr)
	o.Told, o.Fits = bar.show, moving.Fits(filepath.Dir(out))
	var all moving.Written
	err = moving.WriteFile(out, func(f *os.File) error {
		h := archive.Header{Program: version(), CreatedAt: time.Now().UTC(), Whole: number == ""}
		if h.Whole {
			var err error
			if h.Settings, err = in.SharedSettings(ctx); err != nil {
				return err
			}
		}
		w, err := archive.NewWriter(f, key, h)
		if err != nil {
			return err
		}
		if number != "" {
			all, err = in.BackupNumber(ctx, w, instances.ID(number), o)
		} else {
			all, err = in.Backup(ctx, w, o)
		}
		if err != nil {
			return err
		}
		return w.Close()
	})
	bar.end()
	if err != nil {
		return err
	}
	fmt.Fprintf(env.stdout, "Written to %s, with %s.\n", out, filesIn(all.Files))
	if n := all.Files.Gone; n > 0 {
		fmt.Fprintf(env.stderr, "switchboard: %d pictures and files are not in it, because they are not in their folders any more or cannot be read there. Restored numbers ask WhatsApp for them.\n", n)
	}
	for _, s := range all.Skipped {
		fmt.Fprintf(env.stderr, "switchboard: The number %s is not in it: %s\n", s.ID, sentence(s.Err))
	}
	if len(all.Skipped) > 0 {
		return fault.New(fault.Unavailable, fmt.Sprintf("%d numbers could not be backed up; the others are in the file.", len(all.Skipped)))
	}
	return nil
}
