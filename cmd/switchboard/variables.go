package main

import (
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchboard/engine"
	"switchboard/fault"
	"switchboard/settings"
	"switchboard/webhooks"
)

// variables is the whole configuration, in the order of the README's table.
var variables = slices.Concat(ownVariables, tlsVariables, acmeVariables, mailVariables, signOnVariables)

var ownVariables = []variable{
	{
		name: "DB_URI", twin: true, fallback: "file:storages/whatsapp.db?_foreign_keys=on",
		usage: "control database, and the engine of every number: file:PATH for SQLite, postgres://… for PostgreSQL",
		parse: func(c *config, value string) error {
			c.DBURI = value
			return checkDatabaseURI(value)
		},
	},
	{
		name: "DB_CONNECTIONS", fallback: "0", usage: "connections to the PostgreSQL server that the panel and all numbers use together at most, 0 for four fifths of what it allows",
		parse: func(c *config, value string) error {
			n, err := parseLimit(value, minConnections)
			c.DBConnections = int(n)
			return err
		},
	},
	{
		name: "APP_HOST", fallback: "127.0.0.1", usage: "address that the panel listens on",
		parse: func(c *config, value string) error {
			c.Host = value
			return checkHost(value)
		},
	},
	{
		name: "APP_PORT", fallback: "3000", usage: "port that the panel listens on, 0 for any free one",
		parse: func(c *config, value string) (err error) {
			c.Port, err = parsePort(value, 0)
			return err
		},
	},
	{
		name: "APP_BASE_PATH", usage: "sub-path behind a reverse proxy, such as /switchboard",
		parse: func(c *config, value string) (err error) {
			c.BasePath, err = parseBasePath(value)
			return err
		},
	},
	{
		name: "APP_URL", usage: "address at which browsers reach the panel when it is another one, such as https://numbers.example.com; without the sub-path",
		parse: func(c *config, value string) (err error) {
			c.PublicURL, err = parsePublicURL(value)
			return err
		},
	},
	{
		name: "APP_TRUSTED_PROXIES", usage: "reverse proxies whose forwarded headers are believed, as CIDRs with commas between",
		parse: func(c *config, value string) (err error) {
			c.TrustedProxies, err = parsePrefixes(value)
			return err
		},
	},
	{
		name: "APP_CORS_ALLOWED_ORIGINS", usage: "origins whose pages may use the API below /gowa, such as https://tool.example.com, with commas between, or * for all",
		parse: func(c *config, value string) (err error) {
			c.AllowedOrigins, err = parseOrigins(value)
			return err
		},
	},
	{
		name: "STORAGE_DIR", fallback: "storages", usage: "folder for everything on disk",
		parse: func(c *config, value string) error {
			c.StorageDir = value
			return nil
		},
	},
	{
		name: "WORKER_HOST", fallback: "127.0.0.1", usage: "address that the workers listen on",
		parse: func(c *config, value string) error {
			c.WorkerHost = value
			return checkHost(value)
		},
	},
	{
		name: "WORKER_PORT_START", fallback: "3001", usage: "first port that a worker may get",
		parse: func(c *config, value string) (err error) {
			c.WorkerPortStart, err = parsePort(value, 1)
			return err
		},
	},
	{
		name: "WORKER_MEMORY_LIMIT", fallback: "512", usage: "MiB of memory that one number may use before it is started again, 0 for no limit",
		parse: func(c *config, value string) (err error) {
			c.WorkerLimits.Memory, err = parseMebibytes(value, settings.LeastMemory>>20)
			return err
		},
	},
	{
		name: "WORKER_OPEN_FILES", fallback: "1024", usage: "files and connections that one number may have open before it is started again, 0 for no limit",
		parse: func(c *config, value string) (err error) {
			c.WorkerLimits.OpenFiles, err = parseLimit(value, settings.LeastFiles)
			return err
		},
	},
	{
		name: "WORKER_DISK_LIMIT", fallback: "10240", usage: "MiB that the folder of one number may have; above it, the number waits for room, 0 for no limit",
		parse: func(c *config, value string) (err error) {
			c.WorkerLimits.Disk, err = parseMebibytes(value, 1)
			return err
		},
	},
	{
		name: "WORKER_LOG_LIMIT", fallback: "20", usage: "MiB that the log of one number may have; what is older is removed",
		parse: func(c *config, value string) (err error) {
			if c.WorkerLimits.Log, err = parseMebibytes(value, settings.LeastLog>>20); err == nil && c.WorkerLimits.Log == 0 {
				err = bad("is %q. Write a whole number from %d upward.", value, settings.LeastLog>>20)
			}
			return err
		},
	},
	{
		name: "WORKER_CPU_LIMIT", fallback: "0", usage: "percent of one processor that one number may use where it has a control group, 0 for no limit",
		parse: func(c *config, value string) (err error) {
			c.WorkerLimits.CPU, err = parseLimit(value, 1)
			return err
		},
	},
	{
		name: "EGRESS_ALLOW", usage: "private networks that webhooks, brokers, stores and media by address may lead to, as CIDRs with commas between",
		parse: func(c *config, value string) (err error) {
			c.EgressAllow, err = parsePrefixes(value)
			return err
		},
	},
	{
		name: "WHATSAPP_WEBHOOK", usage: "addresses that are told of the events of all numbers, with commas between",
		parse: func(c *config, value string) error {
			c.Webhooks.URLs = parseList(value)
			return checkWebhooks(webhooks.Variables{URLs: c.Webhooks.URLs})
		},
	},
	{
		name: "WHATSAPP_WEBHOOK_SECRET", twin: true, secret: true, usage: "secret that signs what these addresses get, a random one for each if not given",
		parse: func(c *config, value string) error {
			c.Webhooks.Secret = value
			return nil
		},
	},
	{
		name: "WHATSAPP_WEBHOOK_EVENTS", usage: "events that these addresses get, with commas between; all if not given",
		parse: func(c *config, value string) error {
			c.Webhooks.Events = parseList(value)
			return checkWebhooks(webhooks.Variables{URLs: []string{"http://x"}, Events: c.Webhooks.Events})
		},
	},
	{
		name: "WHATSAPP_WEBHOOK_IGNORE_JIDS", usage: "chats of which these addresses get nothing, with commas between, such as *@g.us",
		parse: func(c *config, value string) error {
			c.Webhooks.Ignore = parseList(value)
			return checkWebhooks(webhooks.Variables{URLs: []string{"http://x"}, Ignore: c.Webhooks.Ignore})
		},
	},
	{
		name: "WHATSAPP_WEBHOOK_INSECURE_SKIP_VERIFY", fallback: "false", usage: "true to take any TLS certificate of these addresses",
		parse: func(c *config, value string) (err error) {
			if c.Webhooks.SkipVerify, err = strconv.ParseBool(value); err != nil {
				return bad("is %q. Use true or false.", value)
			}
			return nil
		},
	},
	{
		name: "KEEP_DELETED_DAYS", fallback: "30", usage: "days for which the last backup of a deleted number is kept, 0 for none",
		parse: func(c *config, value string) error {
			days, err := strconv.Atoi(value)
			if err != nil || days < 0 || days > 36500 {
				return bad("is %q. Use a number of days, or 0 to keep nothing.", value)
			}
			c.KeepDeleted = time.Duration(days) * 24 * time.Hour
			return nil
		},
	},
	{
		name: "AUDIT_KEEP_DAYS", fallback: "365", usage: "days for which the audit log is kept, 0 for ever",
		parse: func(c *config, value string) error {
			days, err := strconv.Atoi(value)
			if err != nil || days < 0 || days > 36500 {
				return bad("is %q. Use a number of days, or 0 to keep everything.", value)
			}
			c.AuditKeep = time.Duration(days) * 24 * time.Hour
			return nil
		},
	},
	{
		name: "METRICS_ADDR", usage: "host:port where /metrics is open to everybody who reaches it, such as 127.0.0.1:9090",
		parse: func(c *config, value string) error {
			c.MetricsAddr = value
			if value == "" {
				return nil
			}
			_, port, err := net.SplitHostPort(value)
			if err != nil {
				return bad("is %q, which is not host:port. Write an address such as 127.0.0.1:9090.", value)
			}
			_, err = parsePort(port, 0)
			return err
		},
	},
	{
		name: "SECRET_KEY", twin: true, secret: true, usage: "key that encrypts secrets at rest, made on the first start if not given",
		parse: func(c *config, value string) error {
			c.SecretKey = value
			if value != "" && len(value) < minSecretKey {
				return bad("is shorter than %d characters. Make one with: openssl rand -hex 32", minSecretKey)
			}
			return nil
		},
	},
	{
		name: "WHATSAPP_SIMULATOR_ADDR", usage: "host:port of a simulated WhatsApp network to use instead of the real one",
		parse: func(c *config, value string) error {
			c.SimulatorAddr = value
			if value == "" {
				return nil
			}
			host, port, err := net.SplitHostPort(value)
			if err != nil || host == "" {
				return bad("is %q, which is not host:port. Copy it from what `switchboard simulator` prints.", value)
			}
			_, err = parsePort(port, 1)
			return err
		},
	},
	{
		name: "WHATSAPP_SIMULATOR_ROOT_KEY", usage: "root key of the simulated network, 64 hexadecimal digits",
		parse: func(c *config, value string) error {
			c.SimulatorKey = value
			if key, err := hex.DecodeString(value); value != "" && (err != nil || len(key) != 32) {
				return bad("is not 64 hexadecimal digits. Copy it from what `switchboard simulator` prints.")
			}
			return nil
		},
	},
	{
		name: "LOG_LEVEL", fallback: "info", usage: "debug, info, warn or error",
		parse: func(c *config, value string) error {
			switch value {
			case "debug", "info", "warn", "error":
				return c.LogLevel.UnmarshalText([]byte(value))
			}
			return bad("is %q. Use debug, info, warn or error.", value)
		},
	},
}

// variable is one row of the table of variables.
type variable struct {
	name     string
	fallback string
	usage    string
	twin     bool // NAME_FILE may name a file that holds the value
	secret   bool // never a flag, never printed
	parse    func(c *config, value string) error
}

func flagName(name string) string {
	return strings.ReplaceAll(strings.ToLower(name), "_", "-")
}

// redacted is a value of v as it may be printed.
func (v variable) redacted(value string) string {
	switch {
	case v.secret && value != "":
		return "(hidden)"
	case v.name == "DB_URI":
		return withoutPassword(value)
	case v.name == "WHATSAPP_WEBHOOK":
		return hostsOf(value)
	}
	return value
}

// hostsOf returns what may be printed of a list of addresses: what is behind a webhook's host is
// often all that it takes to use it.
func hostsOf(list string) string {
	var hosts []string
	for _, address := range parseList(list) {
		host := "(unreadable)"
		if u, err := url.Parse(address); err == nil {
			host = u.Scheme + "://" + u.Host
		}
		hosts = append(hosts, host)
	}
	return strings.Join(hosts, ",")
}

// bad is what a parse function says about a value: the second half of a sentence that
// begins with the variable's name, and what to do.
func bad(format string, args ...any) error {
	return fault.New(fault.Invalid, fmt.Sprintf(format, args...))
}

// minSecretKey is the least number of characters of a secret key: 128 bits in hexadecimal.
const minSecretKey = 32

// contradictions tells what is wrong between variables that are right by themselves.
func (c config) contradictions() []string {
	var faults []string
	if (c.SimulatorAddr == "") != (c.SimulatorKey == "") {
		faults = append(faults, "WHATSAPP_SIMULATOR_ADDR and WHATSAPP_SIMULATOR_ROOT_KEY belong together. Set both for a simulated network, or neither for the real one.")
	}
	if (c.Mail.Host == "") != (c.Mail.From == "") {
		faults = append(faults, "SMTP_HOST and SMTP_FROM belong together. Set both to send invitations by e-mail, or neither.")
	}
	if (c.SignOn.Issuer == "") != (c.SignOn.ClientID == "") {
		faults = append(faults, "OIDC_ISSUER and OIDC_CLIENT_ID belong together. Set both for single sign-on, or neither.")
	}
	return append(faults, c.tlsFaults()...)
}

// parseList reads entries with commas between.
func parseList(value string) (all []string) {
	for part := range strings.SplitSeq(value, ",") {
		if part = strings.TrimSpace(part); part != "" {
			all = append(all, part)
		}
	}
	return all
}

func checkWebhooks(v webhooks.Variables) error {
	if err := v.Check(); err != nil {
		return bad("cannot be used. %s", fault.MessageOf(err))
	}
	return nil
}

// checkDatabaseURI looks at the form only.
func checkDatabaseURI(value string) error {
	name, err := engine.Of(value)
	switch {
	case err != nil:
	case name == engine.SQLite:
		_, err = engine.ParseFile(value)
	default:
		_, err = engine.ParsePostgres(value)
	}
	return err
}

// hasPassword reports whether a database URI carries a password.
func hasPassword(uri string) bool { return withoutPassword(uri) != engine.Plain(uri) }

// withoutPassword returns a database URI that may be printed.
func withoutPassword(uri string) string {
	if strings.HasPrefix(uri, "file:") {
		return uri
	}
	u, err := url.Parse(engine.Plain(uri))
	if err != nil {
		return "(unreadable)"
	}
	if _, ok := u.User.Password(); ok {
		u.User = url.UserPassword(u.User.Username(), "hidden")
	}
	if query := u.Query(); query.Has("password") {
		query.Set("password", "hidden")
		u.RawQuery = query.Encode()
	}
	return u.String()
}

func checkHost(value string) error {
	if strings.ContainsAny(value, " /") || strings.Contains(value, ":") && net.ParseIP(value) == nil {
		return bad("is %q. Write an address without a port, such as 127.0.0.1.", value)
	}
	return nil
}

func parsePort(value string, least int) (int, error) {
	port, err := strconv.Atoi(value)
	if err != nil || port < least || port > 65535 {
		return 0, bad("is %q, which is no port. Use a number from %d to 65535.", value, least)
	}
	return port, nil
}

// minConnections lets the panel and three numbers do all that they do at once.
const minConnections = 20

// maxLimit keeps limits in numbers that fit everywhere.
const maxLimit = 1 << 30

// parseLimit reads a number that is 0 or at least least.
func parseLimit(value string, least int64) (int64, error) {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n != 0 && n < least || n > maxLimit {
		return 0, bad("is %q. Write a whole number from %d upward, or 0.", value, least)
	}
	return n, nil
}

// parseMebibytes reads a limit in MiB and returns it in bytes.
func parseMebibytes(value string, least int64) (int64, error) {
	n, err := parseLimit(value, least)
	return n << 20, err
}

// parseBasePath returns "" or a path that begins with a slash and ends without one.
func parseBasePath(value string) (string, error) {
	if value == "" || value == "/" {
		return "", nil
	}
	trimmed := strings.TrimSuffix(value, "/")
	if !strings.HasPrefix(value, "/") || path.Clean(trimmed) != trimmed || strings.ContainsAny(value, "?#%\\\" ") {
		return "", bad("is %q. Write a path such as /switchboard.", value)
	}
	return trimmed, nil
}

// parsePublicURL reads scheme and host; nil stands for "".
func parsePublicURL(value string) (*url.URL, error) {
	if value == "" {
		return nil, nil
	}
	u, err := url.Parse(strings.TrimSuffix(value, "/"))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, bad("is no address such as https://numbers.example.com. A sub-path belongs into APP_BASE_PATH.")
	}
	return u, nil
}

// parsePrefixes reads CIDRs; an address alone means itself.
func parsePrefixes(value string) ([]netip.Prefix, error) {
	var prefixes []netip.Prefix
	for part := range strings.SplitSeq(value, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		if addr, err := netip.ParseAddr(part); err == nil {
			prefixes = append(prefixes, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		prefix, err := netip.ParsePrefix(part)
		if err != nil {
			return nil, bad("holds %q, which is no network. Write CIDRs with commas between, such as 127.0.0.1/32,10.0.0.0/8.", part)
		}
		prefixes = append(prefixes, prefix.Masked())
	}
	return prefixes, nil
}

// level is the log level in the word that a worker is told.
func (c config) level() string {
	switch c.LogLevel {
	case slog.LevelDebug:
		return "debug"
	case slog.LevelWarn:
		return "warn"
	case slog.LevelError:
		return "error"
	}
	return "info"
}

// parseOrigins reads origins as browsers send them, or "*" alone.
func parseOrigins(value string) ([]string, error) {
	var origins []string
	for part := range strings.SplitSeq(value, ",") {
		part = strings.TrimSuffix(strings.TrimSpace(part), "/")
		if part == "" {
			continue
		}
		u, err := url.Parse(part)
		if part != "*" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || part != u.Scheme+"://"+u.Host || u.Host == "") {
			return nil, bad("holds %q, which is no origin. Write addresses such as https://tool.example.com with commas between, or * for all.", part)
		}
		origins = append(origins, part)
	}
	return origins, nil
}
