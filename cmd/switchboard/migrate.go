package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"switchboard/engine"
	"switchboard/moving"
)

// address is a database's URI as a command gets it: in an argument, or, since it may hold a
// password, in a file.
type address struct{ name, uri, file string }

func (a *address) flags(f *flag.FlagSet, usage string) {
	f.StringVar(&a.uri, a.name, "", "`URI` of "+usage)
	f.StringVar(&a.file, a.name+"-file", "", "`file` that holds this URI")
}

// read returns the URI, "" if none was given.
func (a *address) read() (string, error) {
	switch {
	case a.uri != "" && a.file != "":
		return "", refuse("--%[1]s and --%[1]s-file are both set. Set one of them.", a.name)
	case hasPassword(a.uri):
		return "", refuse("--%[1]s holds a password, which every user of this machine could read there. Put it into a file that --%[1]s-file names.", a.name)
	case a.file != "":
		uri, err := readSecret(a.file)
		if err != nil {
			return "", refuse("--%s-file %s", a.name, sentence(err))
		}
		return uri, nil
	}
	return a.uri, nil
}

// migrateDatabase moves a whole installation from one database engine to the other. It can
// be called again after it was killed.
func migrateDatabase(ctx context.Context, env environment, args []string) error {
	from, to := address{name: "from"}, address{name: "to"}
	var fromDir, toDir string
	c, err := loadConfig("migrate-database", args, env, func(f *flag.FlagSet) {
		from.flags(f, "the control database to move from (default DB_URI)")
		to.flags(f, "the control database to move to")
		f.StringVar(&fromDir, "from-storage", "", "storage `folder` to move from (default STORAGE_DIR)")
		f.StringVar(&toDir, "to-storage", "", "storage `folder` to move to (default the same)")
	})
	if err != nil {
		return err
	}
	source, target, err := ends(c, from, to, fromDir, toDir)
	if err != nil {
		return err
	}
	if err := mustBeThere(source); err != nil {
		return err
	}
	out, err := openInstallation(ctx, source, opening{alone: true})
	if err != nil {
		return err
	}
	defer out.release()
	same := moving.SameFolder(source.StorageDir, target.StorageDir)
	if !same && target.SecretKey == "" {
		if err := passKey(out.storage, target.StorageDir); err != nil {
			return err
		}
	}
	in, err := openInstallation(ctx, target, opening{alone: !same})
	if err != nil {
		return err
	}
	defer in.release()
	bar := newProgress(env.stderr)
	err = moving.Migrate(ctx, out.Installation, in.Installation, bar.show)
	bar.end()
	if err != nil {
		return err
	}
	fmt.Fprintf(env.stdout, "Everything was moved and compared. Set DB_URI to %s", withoutPassword(target.DBURI))
	if !same {
		fmt.Fprintf(env.stdout, " and STORAGE_DIR to %s", target.StorageDir)
	}
	fmt.Fprintln(env.stdout, ", and start Switchboard.\nThe old databases are as they were. Never start both: a number can only run in one place.")
	return nil
}

// ends returns the configurations of the two installations.
func ends(c config, from, to address, fromDir, toDir string) (source, target config, err error) {
	source, target = c, c
	if fromDir != "" {
		source.StorageDir = fromDir
	}
	target.StorageDir = source.StorageDir
	if toDir != "" {
		target.StorageDir = toDir
	}
	uri, err := from.read()
	if err != nil {
		return source, target, err
	}
	if uri != "" {
		source.DBURI = uri
	}
	if target.DBURI, err = to.read(); err != nil {
		return source, target, err
	}
	if target.DBURI == "" {
		return source, target, refuse("`switchboard migrate-database` needs --to or --to-file as well. See `switchboard migrate-database --help`.")
	}
	for name, uri := range map[string]string{"from": source.DBURI, "to": target.DBURI} {
		if err := checkDatabaseURI(uri); err != nil {
			return source, target, refuse("--%s is no address of a database: %s", name, sentence(err))
		}
	}
	one, _ := engine.Of(source.DBURI)
	other, _ := engine.Of(target.DBURI)
	if one == other {
		return source, target, refuse("Both databases are of one kind. From SQLite to SQLite or from PostgreSQL to PostgreSQL, use `switchboard backup` and `switchboard restore`.")
	}
	return source, target, nil
}

// passKey gives a new storage folder the key of the old one, with which everything secret is
// encrypted.
func passKey(from *storage, dir string) error {
	if err := checkWritable("--to-storage", dir); err != nil {
		return err
	}
	path := filepath.Join(dir, secretKeyName)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = writeOnce(path, from.key+"\n")
	}
	if err != nil {
		return refuse("The key file cannot be written: %s.", reasonOf(err))
	}
	return nil
}
