package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/joho/godotenv"

	"switchboard/auth"
	"switchboard/control"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/webhooks"
)

// config is everything that the program can be told, checked. Only this package reads
// flags, environment and .env; everything else receives values.
type config struct {
	DBURI           string
	DBConnections   int // 0: four fifths of what the server allows
	Host            string
	Port            int // 0: any free one
	BasePath        string
	PublicURL       *url.URL // nil: where it listens
	TrustedProxies  []netip.Prefix
	AllowedOrigins  []string // whose pages may use the gateway; "*" for all
	StorageDir      string
	WorkerHost      string
	WorkerPortStart int
	WorkerLimits    instances.Limits // of numbers that have none of their own
	EgressAllow     []netip.Prefix
	Webhooks        webhooks.Variables
	KeepDeleted     time.Duration
	AuditKeep       time.Duration // 0: for ever
	MetricsAddr     string        // "": only with a token, on the panel's own port
	TLS             tlsConfig
	ACME            acmeConfig
	Mail            mailConfig
	SignOn          auth.Provider
	SecretKey       string // "" when it is kept in StorageDir
	SimulatorAddr   string
	SimulatorKey    string
	LogLevel        slog.Level

	given map[string]string // for String
}

// Simulator returns the simulated network to use, nil for the real one.
func (c config) Simulator() *control.Simulator {
	if c.SimulatorAddr == "" {
		return nil
	}
	return &control.Simulator{Addr: c.SimulatorAddr, RootKey: c.SimulatorKey}
}

// BaseURL is how browsers reach the panel that listens on port. A panel that listens on
// every address is reached from its own machine by localhost.
func (c config) BaseURL(port int) *url.URL {
	if c.PublicURL != nil {
		return c.PublicURL.JoinPath(c.BasePath)
	}
	host := c.Host
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	scheme := "http"
	if c.speaksTLS() {
		scheme = "https"
	}
	if len(c.ACME.Domains) > 0 {
		host = c.ACME.Domains[0]
	}
	if scheme == "https" && port == 443 {
		return &url.URL{Scheme: scheme, Host: host, Path: c.BasePath}
	}
	return &url.URL{Scheme: scheme, Host: net.JoinHostPort(host, strconv.Itoa(port)), Path: c.BasePath}
}

// workerURL returns where people reach the API of a number that has a port: where workers
// listen, or, when that is every address, on the machine of the panel's own address.
func (c config) workerURL(panel *url.URL) func(port int) string {
	host := c.WorkerHost
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = panel.Hostname()
	}
	return func(port int) string { return "http://" + net.JoinHostPort(host, strconv.Itoa(port)) }
}

// origins are those beside the request's own host from which forms may come: the address
// that browsers use, where a reverse proxy does not pass it on.
func (c config) origins() []string {
	if c.PublicURL == nil {
		return nil
	}
	return []string{c.PublicURL.Scheme + "://" + c.PublicURL.Host}
}

// String lists every variable with its value, secrets left out.
func (c config) String() string {
	var b strings.Builder
	for _, v := range variables {
		fmt.Fprintf(&b, "%s=%s\n", v.name, v.redacted(c.given[v.name]))
	}
	return b.String()
}

// LogValue keeps secrets out of the log.
func (c config) LogValue() slog.Value {
	attrs := make([]slog.Attr, 0, len(variables))
	for _, v := range variables {
		attrs = append(attrs, slog.String(strings.ToLower(v.name), v.redacted(c.given[v.name])))
	}
	return slog.GroupValue(attrs...)
}

// refusal is an error that ends the program with exit code 2 before it has changed
// anything: its use or its configuration is wrong. Each fault is one line.
type refusal struct {
	faults []string
	cause  error // may be nil
}

func (r *refusal) Error() string { return strings.Join(r.faults, "\n") }
func (r *refusal) Unwrap() error { return r.cause }

// refuseFor is the refusal that err leads to.
func refuseFor(err error) error { return &refusal{faults: []string{sentence(err)}, cause: err} }

func refuse(format string, args ...any) error {
	return &refusal{faults: []string{fmt.Sprintf(format, args...)}}
}

// loadConfig puts the configuration together: flags win, then the environment, then the
// file .env in the working directory. It reports all faults at once as a refusal. extra
// adds a command's own flags; args may hold nothing but flags.
func loadConfig(name string, args []string, env environment, extra func(*flag.FlagSet)) (config, error) {
	flags := newFlags(name)
	for _, v := range variables {
		if !v.secret {
			usage := v.usage
			if v.fallback != "" {
				usage += " (default " + v.fallback + ")"
			}
			flags.String(flagName(v.name), "", usage)
		}
		if v.twin {
			flags.String(flagName(v.name+"_FILE"), "", "`file` that holds "+v.name)
		}
	}
	if extra != nil {
		extra(flags)
	}
	if err := parseFlags(flags, env, args); err != nil {
		return config{}, err
	}
	dotEnv, unread := readDotEnv()
	sources := []source{
		{title: flagTitle, lookup: givenFlags(flags)},
		{title: variableTitle, lookup: env.lookup},
		{title: variableTitle, lookup: func(name string) (string, bool) { value, ok := dotEnv[name]; return value, ok }},
	}
	return readConfig(sources, unread...)
}

// readConfig checks what stands in the sources, the first of which wins. unread says why there
// is no more in them.
func readConfig(sources []source, unread ...string) (config, error) {
	c := config{given: make(map[string]string)}
	faults, wrong := unread, []string(nil)
	for _, v := range variables {
		title, value, err := v.find(sources)
		if value == "" {
			value = v.fallback
		}
		if err == nil {
			c.given[v.name] = value
			err = v.parse(&c, value)
		}
		if err != nil {
			message := fault.MessageOf(err)
			if !strings.HasPrefix(message, v.name+" ") { // package engine names its variable itself
				message = title + " " + message
			}
			faults, wrong = append(faults, message), append(wrong, v.name)
		}
	}
	for _, message := range c.contradictions() {
		// What is wrong by itself, or could not be read, is not there to be compared.
		if len(unread) == 0 && !slices.ContainsFunc(wrong, func(name string) bool { return strings.Contains(message, name) }) {
			faults = append(faults, message)
		}
	}
	if len(faults) > 0 {
		return config{}, &refusal{faults: faults}
	}
	return c, nil
}

// source is one of the places that values come from.
type source struct {
	title  func(name string) string // how a message calls a variable of this source
	lookup func(name string) (string, bool)
}

func flagTitle(name string) string     { return "--" + flagName(name) }
func variableTitle(name string) string { return name }

// givenFlags looks variables up among the flags that stand on the command line.
func givenFlags(flags *flag.FlagSet) func(name string) (string, bool) {
	given := make(map[string]string)
	flags.Visit(func(f *flag.Flag) { given[f.Name] = f.Value.String() })
	return func(name string) (string, bool) {
		value, ok := given[flagName(name)]
		return value, ok
	}
}

// configures says whether a flag stands for a variable.
func configures(flag string) bool {
	return slices.ContainsFunc(variables, func(v variable) bool {
		return flag == flagName(v.name) || v.twin && flag == flagName(v.name+"_FILE")
	})
}

// find returns v's value from the first source that has it, or "", and what a message
// calls it there.
func (v variable) find(sources []source) (title, value string, err error) {
	for _, s := range sources {
		value, ok := s.lookup(v.name)
		path, pathOK := "", false
		if v.twin {
			path, pathOK = s.lookup(v.name + "_FILE")
		}
		title := s.title(v.name)
		switch {
		case value != "" && path != "":
			return title, "", bad("and %s are both set. Set one of them.", s.title(v.name+"_FILE"))
		case path != "":
			value, err := readSecret(path)
			return s.title(v.name + "_FILE"), value, err
		case value != "" && title == flagTitle(v.name) && v.twin && hasPassword(value):
			return title, "", bad("holds a password, which every user of this machine could read there. Put it into the variable %s, or into a file that --%s names.", v.name, flagName(v.name+"_FILE"))
		case title == flagTitle(v.name) && v.name == "WHATSAPP_WEBHOOK" && slices.ContainsFunc(parseList(value), func(address string) bool {
			u, err := url.Parse(address)
			return err == nil && u.User != nil
		}):
			return title, "", bad("holds a password, which every user of this machine could read there. Put it into the variable %s.", v.name)
		case ok || pathOK:
			return title, value, nil
		}
	}
	return variableTitle(v.name), "", nil
}

// readSecret reads a secret's file; the line break at its end does not count.
func readSecret(path string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", bad("names a file that cannot be read: %s. Check the path and its permissions.", reasonOf(err))
	}
	value := strings.TrimRight(string(content), "\r\n")
	if value == "" {
		return "", bad("names an empty file, %s. Write the secret into it.", path)
	}
	return value, nil
}

// readDotEnv reads .env in the working directory. A missing file is an empty one; unread says
// why another could not be read.
func readDotEnv() (values map[string]string, unread []string) {
	content, err := os.ReadFile(".env")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, []string{"The file .env cannot be read: " + reasonOf(err) + ". Check its permissions, or remove it."}
	}
	values, err = godotenv.UnmarshalBytes(content)
	if err != nil {
		// godotenv's error quotes the line, which may hold a secret.
		return nil, []string{"The file .env is not a list of NAME=value lines. Compare it with .env.example."}
	}
	return values, nil
}

// reasonOf says why a file operation failed, "PATH: no such file or directory".
func reasonOf(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Path + ": " + e.Err.Error()
	}
	return err.Error()
}
