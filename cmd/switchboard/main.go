// Command switchboard runs many WhatsApp numbers, each in a process of its own, and the
// panel that people use them through.
//
// This package holds the configuration, the wiring of the other packages, and the
// subcommands; what they do is done elsewhere. Exit codes: 0 done, 1 failed, 2 used or
// configured wrongly, with nothing changed. A worker has its own, see package control.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"switchboard/fault"
)

// environment is what a command gets from outside, so that no command reaches for it.
type environment struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	lookup         func(name string) (string, bool)
}

// command is one subcommand. run gets the arguments behind the command's name.
type command struct {
	name    string
	summary string
	run     func(ctx context.Context, env environment, args []string) error
}

// commands in the order of the help. The function breaks the cycle between help and the list.
func commands() []command {
	return []command{
		{"serve", "run the panel and all numbers", serve},
		{"demo", "run the panel with a simulated WhatsApp network, ready to click", demo},
		{"simulator", "run a simulated WhatsApp network", simulate},
		{"user", "add, list and change the people who may sign in", user},
		{"token", "add, list and revoke the tokens of the management API", token},
		{"audit", "check the audit log, or write it out", auditCommand},
		{"backup", "write everything, or one number, into an encrypted file", backup},
		{"restore", "bring back a backup, or a deleted number", restore},
		{"migrate-database", "move everything between SQLite and PostgreSQL", migrateDatabase},
		{"import", "take paired numbers over from another program", importNumbers},
		{"doctor", "check this installation, and say what to do about what is wrong", doctor},
		{"rotate-key", "put a new secret key in place of the present one", rotateKey},
		{"version", "print the version", printVersion},
		{"help", "print this text", help},
		{"worker", "run one number (started by serve, not by people)", runWorker},
	}
}

func main() {
	env := environment{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, lookup: os.LookupEnv}
	os.Exit(run(context.Background(), env, os.Args[1:]))
}

// run carries out one command and returns the exit code.
func run(ctx context.Context, env environment, args []string) int {
	if len(args) == 0 {
		args = []string{"help"}
	}
	name := args[0]
	switch name {
	case "-h", "-help", "--help":
		name = "help"
	case "-v", "-V", "-version", "--version":
		name = "version"
	}
	err := dispatch(ctx, env, "switchboard", commands(), append([]string{name}, args[1:]...))
	return exitCode(env, err)
}

// dispatch runs the command that args[0] names.
func dispatch(ctx context.Context, env environment, program string, list []command, args []string) error {
	if len(args) == 0 {
		return refuse("%s needs one of: %s. See `%s help`.", program, names(list), firstWord(program))
	}
	for _, c := range list {
		if c.name == args[0] {
			return c.run(ctx, env, args[1:])
		}
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		fmt.Fprintf(env.stdout, "Usage: %s COMMAND [flags]\n\nCommands:\n", program)
		printCommands(env.stdout, list)
		fmt.Fprintf(env.stdout, "\n`%s COMMAND --help` lists a command's flags.\n", program)
		return nil
	}
	return refuse("%s has no command %q. It has: %s.", program, args[0], names(list))
}

func names(list []command) string {
	var all []string
	for _, c := range list {
		all = append(all, c.name)
	}
	return strings.Join(all, ", ")
}

func firstWord(s string) string { word, _, _ := strings.Cut(s, " "); return word }

// exitCode prints err for a person and picks the program's exit code.
func exitCode(env environment, err error) int {
	var refused *refusal
	var code workerExit
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &refused):
		for _, line := range refused.faults {
			fmt.Fprintln(env.stderr, "switchboard:", line)
		}
		return 2
	}
	if fields := fault.Fields(err); len(fields) > 1 {
		for _, f := range fields {
			fmt.Fprintln(env.stderr, "switchboard:", f.Message)
		}
		return 1
	}
	fmt.Fprintln(env.stderr, "switchboard:", sentence(err))
	return 1
}

// sentence is what a person at a terminal reads about err. Unlike in the panel, the cause
// of an unexpected error is theirs to see.
func sentence(err error) string {
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return e.Message
	}
	return err.Error()
}

// newFlags makes a flag set that writes nothing itself: parseFlags does.
func newFlags(name string) *flag.FlagSet {
	flags := flag.NewFlagSet("switchboard "+name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	return flags
}

// parseFlags parses args, which may hold nothing but flags. The usage text is printed for
// those who ask for it; whoever makes a mistake gets one sentence.
func parseFlags(flags *flag.FlagSet, env environment, args []string) error {
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		printUsage(flags, env.stdout)
		return err
	case err != nil:
		return refuse("%s: %s. See `%s --help`.", flags.Name(), err, flags.Name())
	case flags.NArg() > 0:
		return refuse("%s takes no argument %q. See `%s --help`.", flags.Name(), flags.Arg(0), flags.Name())
	}
	return nil
}

// printUsage begins with the command's own flags: those of the configuration are many, and
// most commands need none of them.
func printUsage(flags *flag.FlagSet, w io.Writer) {
	var own, shared strings.Builder
	configured := flags.Lookup(flagName(variables[0].name)) != nil // demo and simulator are not
	flags.VisitAll(func(f *flag.Flag) {
		value, usage := flag.UnquoteUsage(f)
		into := &own
		if configured && configures(f.Name) {
			into = &shared
		} else if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" {
			usage += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(into, "  --%s\n        %s\n", strings.TrimSpace(f.Name+" "+value), usage)
	})
	fmt.Fprintf(w, "Usage: %s [flags]\n", flags.Name())
	if own.Len() > 0 {
		fmt.Fprint(w, "\nFlags:\n", own.String())
	}
	if shared.Len() > 0 {
		fmt.Fprint(w, "\nThe configuration, which variables and .env can hold as well:\n", shared.String())
	}
}
