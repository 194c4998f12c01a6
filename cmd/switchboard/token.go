package main

import (
	"context"
	"flag"
	"fmt"
	"text/tabwriter"
	"time"

	"switchboard/auth"
)

// token changes the tokens of the management API, whether the server runs or not.
func token(ctx context.Context, env environment, args []string) error {
	return dispatch(ctx, env, "switchboard token", []command{
		{"add", "make a token", tokenAdd},
		{"list", "list everybody's tokens, or one person's", tokenList},
		{"revoke", "make a token useless", tokenRevoke},
	}, args)
}

func tokenAdd(ctx context.Context, env environment, args []string) error {
	var email, name string
	var days int
	return withAuth(ctx, "token add", args, env, task{
		flags: func(f *flag.FlagSet) {
			f.StringVar(&email, "user", "", "e-mail address of the person on whose behalf the program acts")
			f.StringVar(&name, "name", "", "what the token is for")
			f.IntVar(&days, "days", 0, "days until it expires, 0 for never")
		},
		check: func() error {
			if days < 0 {
				return refuse("--days is %d. Use a number of days, or 0 for a token that never expires.", days)
			}
			return required("token add", flagged{"--user", email != ""}, flagged{"--name", name != ""})
		},
		work: func(a *auth.Auth) error {
			var expires time.Time
			if days > 0 {
				expires = time.Now().AddDate(0, 0, days)
			}
			t, secret, err := a.AddToken(ctx, email, name, expires)
			if err != nil {
				return err
			}
			fmt.Fprintf(env.stdout, "Token %s for %s. It is shown this once:\n%s\n", t.ID, email, secret)
			return nil
		},
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
			fmt.Fprintln(table, "ID\tPERSON\tNAME\tADDED\tLAST USED\tEXPIRES\tREVOKED")
			for _, t := range tokens {
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.UserEmail, t.Name, when(t.CreatedAt), when(t.LastUsedAt), when(t.ExpiresAt), when(t.RevokedAt))
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
	})
}
