package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"text/tabwriter"

	"switchboard/auth"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/whatsapp/legacy"
)

// importNumbers takes paired numbers out of the store of another program. No panel may run.
func importNumbers(ctx context.Context, env environment, args []string) error {
	from := address{name: "from"}
	var email, jid string
	var list bool
	c, err := loadConfig("import", args, env, func(f *flag.FlagSet) {
		from.flags(f, "the other program's database, file: or postgres://")
		f.StringVar(&email, "user", "", "e-mail `address` of the person to whom the numbers will belong (default the first owner)")
		f.StringVar(&jid, "jid", "", "`JID` of the one number to import (default all)")
		f.BoolVar(&list, "list", false, "list the numbers that are paired there, and import nothing")
	})
	if err != nil {
		return err
	}
	uri, err := from.read()
	if err != nil {
		return err
	}
	if uri == "" {
		return refuse("`switchboard import` needs --from or --from-file as well. See `switchboard import --help`.")
	}
	if err := checkDatabaseURI(uri); err != nil {
		return refuse("--from is no address of a database: %s", sentence(err))
	}
	if err := mustBeThere(config{DBURI: uri}); err != nil {
		return err
	}
	in, err := openInstallation(ctx, c, opening{alone: true})
	if err != nil {
		return err
	}
	defer in.release()
	importer, err := legacy.Open(uri, in.storage.dir, in.storage.store)
	if err != nil {
		return err
	}
	found, err := importer.Found(ctx)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fault.New(fault.NotFound, "There is no paired number in that database. Check that it is the one that the other program uses.")
	}
	if list {
		return listPaired(env, found)
	}
	owner, err := in.ownerOf(ctx, email)
	if err != nil {
		return err
	}
	return in.importAll(ctx, env, importer, found, jid, owner)
}

func listPaired(env environment, found []instances.Paired) error {
	table := tabwriter.NewWriter(env.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "JID\tNAME\tIMPORTED BEFORE")
	for _, p := range found {
		before := "no"
		if p.Imported {
			before = "yes"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", p.JID, p.PushName, before)
	}
	return table.Flush()
}

// importAll imports what is wished; what cannot be imported does not keep the others from it.
func (in *installation) importAll(ctx context.Context, env environment, from instances.Importer, found []instances.Paired, jid string, owner int64) error {
	var failed error
	imported, wished := 0, 0
	for _, p := range found {
		if jid != "" && p.JID != jid {
			continue
		}
		wished++
		if p.Imported && jid == "" {
			fmt.Fprintf(env.stdout, "%s was imported before.\n", p.JID)
			continue
		}
		inst, err := in.Import(ctx, from, p, owner)
		if err != nil {
			fmt.Fprintf(env.stderr, "switchboard: %s: %s\n", p.JID, sentence(err))
			failed = errors.Join(failed, err)
			continue
		}
		imported++
		fmt.Fprintf(env.stdout, "Imported %s as %s (%s).\n", p.JID, inst.Name, inst.ID)
	}
	switch {
	case failed != nil:
		return fault.Wrap(fault.Unavailable, "Not everything could be imported; see above.", failed)
	case wished == 0:
		return fault.New(fault.NotFound, "There is no such paired number in that database. List them with --list.")
	case imported > 0:
		fmt.Fprintln(env.stdout, "Start Switchboard now, and never the other program again for these numbers: they would take the connection from each other.")
	}
	return nil
}

// ownerOf returns the id of a person, of the oldest owner if none is named.
func (in *installation) ownerOf(ctx context.Context, email string) (int64, error) {
	users, err := in.storage.store.Users(ctx)
	if err != nil {
		return 0, err
	}
	for _, u := range users {
		if email == u.Email || email == "" && u.Role == auth.Owner {
			return u.ID, nil
		}
	}
	if email == "" {
		return 0, refuse("Nobody owns this installation yet. Add the owner first: switchboard user add --role owner …")
	}
	return 0, refuse("There is nobody with the e-mail address %s. See `switchboard user list`.", email)
}
