package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"
	"time"

	"switchboard/auth"
	"switchboard/store"
)

// user changes the people who may sign in, whether the server runs or not.
func user(ctx context.Context, env environment, args []string) error {
	return dispatch(ctx, env, "switchboard user", []command{
		{"add", "add a person", userAdd},
		{"list", "list everybody", userList},
		{"passwd", "set a person's password and end their sessions", userPasswd},
		{"reset-factors", "take a person's authenticator app and passkeys away", userResetFactors},
	}, args)
}

func userAdd(ctx context.Context, env environment, args []string) error {
	var in auth.NewUser
	var role string
	var stdin bool
	return withAuth(ctx, "user add", args, env, task{
		flags: func(f *flag.FlagSet) {
			f.StringVar(&in.Email, "email", "", "e-mail address to sign in with")
			f.StringVar(&in.Name, "name", "", "name to show (default the part of the address before the @)")
			f.StringVar(&role, "role", "", "owner, administrator, operator or viewer")
			f.BoolVar(&stdin, "password-stdin", false, "read the password from standard input")
		},
		check: func() error {
			err := required("user add", flagged{"--email", in.Email != ""}, flagged{"--role", role != ""}, flagged{"--password-stdin", stdin})
			in.Role = auth.Role(role)
			if err == nil && !in.Role.Valid() {
				err = refuse("--role has to be one of owner, administrator, operator, viewer, and not %q.", role)
			}
			if err == nil {
				in.Password, err = readPassword(env.stdin)
			}
			return err
		},
		work: func(a *auth.Auth) error {
			u, err := a.AddUser(ctx, in)
			if err != nil {
				return err
			}
			fmt.Fprintf(env.stdout, "Added %s as %s.\n", u.Email, u.Role)
			return nil
		},
		done: func() (string, string) { return "people.create", in.Email + " " + role },
	})
}

func userPasswd(ctx context.Context, env environment, args []string) error {
	var email, password string
	var stdin bool
	return withAuth(ctx, "user passwd", args, env, task{
		flags: func(f *flag.FlagSet) {
			f.StringVar(&email, "email", "", "e-mail address of the person")
			f.BoolVar(&stdin, "password-stdin", false, "read the new password from standard input")
		},
		check: func() error {
			err := required("user passwd", flagged{"--email", email != ""}, flagged{"--password-stdin", stdin})
			if err == nil {
				password, err = readPassword(env.stdin)
			}
			return err
		},
		work: func(a *auth.Auth) error {
			if err := a.SetPassword(ctx, email, password); err != nil {
				return err
			}
			fmt.Fprintf(env.stdout, "The password of %s is changed; their sessions have ended.\n", email)
			return nil
		},
		done: func() (string, string) { return "password.set", email },
	})
}

func userResetFactors(ctx context.Context, env environment, args []string) error {
	var email string
	return withAuth(ctx, "user reset-factors", args, env, task{
		flags: func(f *flag.FlagSet) { f.StringVar(&email, "email", "", "e-mail address of the person") },
		check: func() error { return required("user reset-factors", flagged{"--email", email != ""}) },
		work: func(a *auth.Auth) error {
			if err := a.ResetFactorsOf(ctx, email); err != nil {
				return err
			}
			fmt.Fprintf(env.stdout, "%s signs in with the password alone now.\n", email)
			return nil
		},
		done: func() (string, string) { return "people.factors.reset", email },
	})
}

func userList(ctx context.Context, env environment, args []string) error {
	return withAuth(ctx, "user list", args, env, task{
		work: func(a *auth.Auth) error {
			people, err := a.ListUsers(ctx)
			if err != nil {
				return err
			}
			table := tabwriter.NewWriter(env.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "E-MAIL\tROLE\tNAME\tADDED\tLAST SEEN")
			for _, p := range people {
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", p.Email, p.Role, p.Name, when(p.CreatedAt), when(p.LastSeenAt))
			}
			return table.Flush()
		},
	})
}

// task is what one of the commands on people and tokens does. flags, check and known may be nil.
type task struct {
	flags func(*flag.FlagSet)      // declares the command's own flags
	check func() error             // refuses flags that are not complete
	known func(*store.Store) error // refuses what there is not
	work  func(*auth.Auth) error
	// done is what is written into the audit log, and about whom; nil for what only looks.
	done func() (action, target string)
}

// withAuth loads the configuration with a command's own flags, checks them, and does the
// command's work on the control database.
func withAuth(ctx context.Context, name string, args []string, env environment, t task) error {
	c, err := loadConfig(name, args, env, t.flags)
	if err != nil {
		return err
	}
	if t.check != nil {
		if err := t.check(); err != nil {
			return err
		}
	}
	s, err := openStorage(ctx, c, false)
	if err != nil {
		return err
	}
	defer s.Close()
	if t.known != nil {
		if err := t.known(s.store); err != nil {
			return err
		}
	}
	// What was done is printed; the log only says what went wrong.
	log := newLog(env.stderr, max(c.LogLevel, slog.LevelWarn))
	err = t.work(auth.New(s.store, auth.Options{Log: log}))
	if t.done != nil {
		s.record(ctx, log, err, t.done)
	}
	return err
}

// flagged says whether a required flag was given.
type flagged struct {
	name  string
	given bool
}

// required refuses a command whose flags are not complete.
func required(name string, flags ...flagged) error {
	var missing []string
	for _, f := range flags {
		if !f.given {
			missing = append(missing, f.name)
		}
	}
	if len(missing) > 0 {
		return refuse("`switchboard %s` needs %s as well. See `switchboard %s --help`.", name, strings.Join(missing, ", "), name)
	}
	return nil
}

// readPassword reads one line; a line break at its end does not count.
func readPassword(r io.Reader) (string, error) {
	content, err := io.ReadAll(io.LimitReader(r, 4096))
	if err != nil {
		return "", fmt.Errorf("read password: %w", err)
	}
	password := strings.TrimRight(string(content), "\r\n")
	if password == "" || strings.ContainsAny(password, "\r\n") {
		return "", refuse("Standard input has to hold the password alone, on one line.")
	}
	return password, nil
}

// when is a time in a table.
func when(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Local().Format("2006-01-02 15:04 MST")
}
