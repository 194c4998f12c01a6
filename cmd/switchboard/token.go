package main

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"switchboard/auth"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/store"
)

// token changes the tokens of the management API, whether the server runs or not.
func token(ctx context.Context, env environment, args []string) error {
	return dispatch(ctx, env, "switchboard token", []command{
		{"add", "make a token", tokenAdd},
		{"list", "list everybody's tokens, or one person's", tokenList},
		{"revoke", "make a token useless", tokenRevoke},
	}, args)
}

func comma(r rune) bool { return r == ',' }

func tokenAdd(ctx context.Context, env environment, args []string) error {
	var email, name, scopes, numbers, until string
	var days int
	in := auth.NewToken{}
	return withAuth(ctx, "token add", args, env, task{
		flags: func(f *flag.FlagSet) {
			f.StringVar(&email, "user", "", "e-mail address of the person on whose behalf the program acts")
			f.StringVar(&name, "name", "", "what the token is for")
			f.IntVar(&days, "days", 0, "days until it expires, 0 for never")
			f.StringVar(&until, "expires", "", "`date` on which it expires, such as 2027-01-31, instead of --days")
			f.StringVar(&scopes, "scope", "", "what it may do: read, send, manage, admin, with commas between (default all that the person may do)")
			f.StringVar(&numbers, "number", "", "ids of the only numbers that it may touch, with commas between (default all of the person's)")
		},
		check: func() error {
			if days < 0 {
				return refuse("--days is %d. Use a number of days, or 0 for a token that never expires.", days)
			}
			if until != "" {
				day, err := time.ParseInLocation(time.DateOnly, until, time.Local)
				if err != nil || days > 0 {
					return refuse("--expires is %q. Use a date such as 2027-01-31, and not --days as well.", until)
				}
				in.Expires = day
			}
			for word := range strings.FieldsFuncSeq(scopes, comma) {
				in.Scopes = append(in.Scopes, auth.Scope(strings.TrimSpace(word)))
			}
			for word := range strings.FieldsFuncSeq(numbers, comma) {
				in.Numbers = append(in.Numbers, instances.ID(strings.TrimSpace(word)))
			}
			return required("token add", flagged{"--user", email != ""}, flagged{"--name", name != ""})
		},
		known: func(s *store.Store) error {
			all, err := s.Instances(ctx)
			for _, id := range in.Numbers {
				if err == nil && !slices.ContainsFunc(all, func(i instances.Instance) bool { return i.ID == id }) {
					err = fault.New(fault.NotFound, fmt.Sprintf("There is no number with the id %q. The address of a number's page ends with it.", id))
				}
			}
			return err
		},
		work: func(a *auth.Auth) error {
			in.Name = name
			if days > 0 {
				in.Expires = time.Now().AddDate(0, 0, days)
			}
			t, secret, err := a.AddToken(ctx, email, in)
			if err != nil {
				return err
			}
			fmt.Fprintf(env.stdout, "Token %s for %s. It is shown this once:\n%s\n", t.ID, email, secret)
			return nil
		},
		done: func() (string, string) { return "tokens.create", email + " " + name },
	})
}

func tokenList(ctx context.Context, env environment, args []string) error {
	var email string
	return withAuth(ctx, "token list", args, env, task{
		flags: func(f *flag.FlagSet) {
			f.StringVar(&email, "user", "", "e-mail address of one person (default everybody)")
		},
		work: func(a *auth.Auth) error {
			tokens, err := a.ListTokens(ctx, email)
			if err != nil {
				return err
			}
			table := tabwriter.NewWriter(env.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "ID\tPERSON\tNAME\tMAY\tNUMBERS\tADDED\tLAST USED\tEXPIRES\tREVOKED")
			for _, t := range tokens {
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.UserEmail, t.Name, list(t.Scopes), list(t.Numbers), when(t.CreatedAt), when(t.LastUsedAt), when(t.ExpiresAt), when(t.RevokedAt))
			}
			return table.Flush()
		},
	})
}

func tokenRevoke(ctx context.Context, env environment, args []string) error {
	var id string
	return withAuth(ctx, "token revoke", args, env, task{
		flags: func(f *flag.FlagSet) {
			f.StringVar(&id, "id", "", "the token's id, see `switchboard token list`")
		},
		check: func() error { return required("token revoke", flagged{"--id", id != ""}) },
		work: func(a *auth.Auth) error {
			if err := a.RevokeToken(ctx, id); err != nil {
				return err
			}
			fmt.Fprintf(env.stdout, "Token %s is revoked.\n", id)
			return nil
		},
		done: func() (string, string) { return "tokens.revoke", id },
	})
}

// list is what a token is limited to, in a table.
func list[T ~string](limits []T) string {
	if len(limits) == 0 {
		return "all"
	}
	words := make([]string, len(limits))
	for i, l := range limits {
		words[i] = string(l)
	}
	return strings.Join(words, ",")
}
