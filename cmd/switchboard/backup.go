package main

import (
	"context"
	"flag"
	"fmt"
	"os"
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
	var secret passphrase
	c, err := loadConfig("backup", args, env, func(f *flag.FlagSet) {
		f.StringVar(&out, "out", "", "`file` to write, which must not exist")
		f.StringVar(&number, "number", "", "`id` of the one number to back up (default everything)")
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
	in, err := openInstallation(ctx, c, false)
	if err != nil {
		return err
	}
	defer in.release()
	bar := newProgress(env.stderr)
	var skipped []moving.Skipped
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
			err = in.BackupNumber(ctx, w, instances.ID(number))
		} else {
			skipped, err = in.Backup(ctx, w, bar.show)
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
	fmt.Fprintf(env.stdout, "Written to %s.\n", out)
	for _, s := range skipped {
		fmt.Fprintf(env.stderr, "switchboard: The number %s is not in it: %s\n", s.ID, sentence(s.Err))
	}
	if len(skipped) > 0 {
		return fault.New(fault.Unavailable, fmt.Sprintf("%d numbers could not be backed up; the others are in the file.", len(skipped)))
	}
	return nil
}
