package main

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"
)

// help prints the list of commands, or what one of them takes.
func help(ctx context.Context, env environment, args []string) error {
	if len(args) > 0 && args[0] != "help" && !strings.HasPrefix(args[0], "-") {
		return dispatch(ctx, env, "switchboard", commands(), append(slices.Clip(args), "--help"))
	}
	fmt.Fprint(env.stdout, "Switchboard runs many WhatsApp numbers from one page, each in a process of its own.\n\nUsage: switchboard COMMAND [flags]\n\nCommands:\n")
	printCommands(env.stdout, commands())
	fmt.Fprint(env.stdout, "\n`switchboard COMMAND --help` lists a command's flags. Every variable of the README's\ntable is a flag of serve as well: APP_PORT is --app-port.\n")
	return nil
}

func printCommands(w io.Writer, list []command) {
	for _, c := range list {
		fmt.Fprintf(w, "  %-16s %s\n", c.name, c.summary)
	}
}

// printVersion prints what this binary was built from.
func printVersion(_ context.Context, env environment, args []string) error {
	if err := parseFlags(newFlags("version"), env, args); err != nil {
		return err
	}
	fmt.Fprintln(env.stdout, "switchboard", version())
	return nil
}

// release is set by the linker; see the Makefile.
var release = "unversioned"

// version of the binary: what the linker was told, else the version that it was installed as.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && release == "unversioned" && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return release
}
