package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// inEmptyFolder gives the test a working directory of its own, where .env is looked for.
func inEmptyFolder(t *testing.T, dotEnv string) {
	t.Helper()
	t.Chdir(t.TempDir())
	if dotEnv != "" {
		if err := os.WriteFile(".env", []byte(dotEnv), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func with(vars map[string]string) environment {
	return environment{
		stdout: &strings.Builder{}, stderr: &strings.Builder{},
		lookup: func(name string) (string, bool) { value, ok := vars[name]; return value, ok },
	}
}

func TestDefaults(t *testing.T) {
	inEmptyFolder(t, "")
	c, err := loadConfig("serve", nil, with(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.DBURI != "file:storages/whatsapp.db?_foreign_keys=on" || c.Host != "127.0.0.1" || c.Port != 3000 || c.BasePath != "" ||
		c.TrustedProxies != nil || c.StorageDir != "storages" || c.WorkerHost != "127.0.0.1" || c.WorkerPortStart != 3001 ||
		c.SecretKey != "" || c.Simulator() != nil || c.LogLevel != slog.LevelInfo {
		t.Errorf("defaults are %s", c)
	}
}

func TestLayers(t *testing.T) {
	inEmptyFolder(t, "APP_PORT=1111\nAPP_HOST=0.0.0.0\nLOG_LEVEL=warn\nSTORAGE_DIR=from-dotenv\nSECRET_KEY=the-one-in-dotenv-is-not-used-here\n")
	if err := os.WriteFile("key", []byte("the key from the file, long enough\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := loadConfig("serve", []string{"--app-port", "3333"}, with(map[string]string{
		"APP_PORT": "2222", "APP_HOST": "192.0.2.1", "STORAGE_DIR": "", "SECRET_KEY_FILE": "key",
	}), nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Port != 3333 {
		t.Errorf("port %d: a flag has to win over everything", c.Port)
	}
	if c.Host != "192.0.2.1" {
		t.Errorf("host %s: the environment has to win over .env", c.Host)
	}
	if c.LogLevel != slog.LevelWarn {
		t.Errorf("log level %v: .env has to win over the default", c.LogLevel)
	}
	if c.StorageDir != "storages" {
		t.Errorf("storage dir %s: a variable set to nothing has to hide .env and mean the default", c.StorageDir)
	}
	if c.SecretKey != "the key from the file, long enough" {
		t.Error("a key file in the environment has to win over a key in .env")
	}
}

func TestAccepted(t *testing.T) {
	key := strings.Repeat("0f", 32)
	inEmptyFolder(t, "")
	const socket = "postgres://u@%2Frun%2Fpostgresql:5433/panel"
	if _, err := loadConfig("serve", []string{"--db-uri", socket}, with(nil), nil); err != nil || !strings.Contains(withoutPassword(socket), "u@") {
		t.Errorf("a socket in the place of the host: %v, %s", err, withoutPassword(socket))
	}
	c, err := loadConfig("serve", nil, with(map[string]string{
		"DB_URI": "postgresql://u:p%40ss@db.example:5433/panel?sslmode=disable", "APP_HOST": "::1", "APP_PORT": "0",
		"APP_BASE_PATH": "/switch/board/", "APP_TRUSTED_PROXIES": "127.0.0.1, 10.1.2.3/8 ,",
		"APP_CORS_ALLOWED_ORIGINS": " https://tool.example.com/ , http://localhost:8080,",
		"WHATSAPP_SIMULATOR_ADDR":  "127.0.0.1:7777", "WHATSAPP_SIMULATOR_ROOT_KEY": key,
	}), nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.BasePath != "/switch/board" {
		t.Errorf("base path %q", c.BasePath)
	}
	if want := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/8")}; !slices.Equal(c.TrustedProxies, want) {
		t.Errorf("trusted proxies %v", c.TrustedProxies)
	}
	if want := []string{"https://tool.example.com", "http://localhost:8080"}; !slices.Equal(c.AllowedOrigins, want) {
		t.Errorf("origins %v", c.AllowedOrigins)
	}
	if s := c.Simulator(); s == nil || s.Addr != "127.0.0.1:7777" || s.RootKey != key {
		t.Errorf("simulator %v", s)
	}
}

// TestRefused holds every way in which one value can be wrong: one fault, which names the
// variable and quotes no secret.
func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		vars map[string]string
		args []string
		want string
	}{
		"unknown scheme":             {vars: map[string]string{"DB_URI": "mysql://root:hunter2@host/db"}, want: `DB_URI has to begin with`},
		"no scheme":                  {vars: map[string]string{"DB_URI": "hunter2"}, want: "DB_URI has to begin with"},
		"no file":                    {vars: map[string]string{"DB_URI": "file:"}, want: "DB_URI has to begin with"},
		"memory":                     {vars: map[string]string{"DB_URI": "file::memory:?cache=shared"}, want: "DB_URI names a database in memory"},
		"a folder":                   {vars: map[string]string{"DB_URI": "file:storages/"}, want: "DB_URI names no file"},
		"bad query":                  {vars: map[string]string{"DB_URI": "file:x.db?%zz"}, want: "DB_URI has a query that cannot be read"},
		"no such certificate":        {vars: map[string]string{"DB_URI": "postgres://u:hunter2@host/db?sslrootcert=/none.pem"}, want: "DB_URI names the file /none.pem, which cannot be read"},
		"unescaped password":         {vars: map[string]string{"DB_URI": "postgres://u:hunter2%@host/db"}, want: "DB_URI is no PostgreSQL address"},
		"password in the arguments":  {args: []string{"--db-uri=postgres://u:hunter2@host/db"}, want: "--db-uri holds a password"},
		"password behind ?":          {args: []string{"--db-uri=postgres://u@host/db?password=hunter2"}, want: "--db-uri holds a password"},
		"webhook in the arguments":   {args: []string{"--whatsapp-webhook=https://a.example,https://u:hunter2@b.example"}, want: "--whatsapp-webhook holds a password"},
		"port of letters":            {vars: map[string]string{"APP_PORT": "http"}, want: `APP_PORT is "http"`},
		"port too large":             {vars: map[string]string{"APP_PORT": "65536"}, want: `APP_PORT is "65536"`},
		"port by flag":               {args: []string{"--app-port", "-1"}, want: `--app-port is "-1"`},
		"host with port":             {vars: map[string]string{"APP_HOST": "127.0.0.1:80"}, want: `APP_HOST is "127.0.0.1:80"`},
		"host as URL":                {vars: map[string]string{"WORKER_HOST": "http://x"}, want: `WORKER_HOST is "http://x"`},
		"public address":             {vars: map[string]string{"APP_URL": "numbers.example.com"}, want: "APP_URL is no address such as"},
		"public address with a path": {vars: map[string]string{"APP_URL": "https://x/panel"}, want: "APP_URL is no address such as"},
		"worker port":                {vars: map[string]string{"WORKER_PORT_START": "0"}, want: `WORKER_PORT_START is "0"`},
		"memory of a worker":         {vars: map[string]string{"WORKER_MEMORY_LIMIT": "512M"}, want: `WORKER_MEMORY_LIMIT is "512M"`},
		"too little memory":          {vars: map[string]string{"WORKER_MEMORY_LIMIT": "8"}, want: `WORKER_MEMORY_LIMIT is "8"`},
		"too few files":              {vars: map[string]string{"WORKER_OPEN_FILES": "3"}, want: `WORKER_OPEN_FILES is "3"`},
		"disk of a worker":           {vars: map[string]string{"WORKER_DISK_LIMIT": "-1"}, want: `WORKER_DISK_LIMIT is "-1"`},
		"relative base path":         {vars: map[string]string{"APP_BASE_PATH": "x"}, want: `APP_BASE_PATH is "x"`},
		"base path with dots":        {vars: map[string]string{"APP_BASE_PATH": "/a/../b"}, want: `APP_BASE_PATH is "/a/../b"`},
		"proxies":                    {vars: map[string]string{"APP_TRUSTED_PROXIES": "10.0.0.0/8,nginx"}, want: `APP_TRUSTED_PROXIES holds "nginx"`},
		"an origin with a path":      {vars: map[string]string{"APP_CORS_ALLOWED_ORIGINS": "*,https://x.example/y"}, want: `APP_CORS_ALLOWED_ORIGINS holds "https://x.example/y"`},
		"an origin without a scheme": {vars: map[string]string{"APP_CORS_ALLOWED_ORIGINS": "x.example"}, want: `APP_CORS_ALLOWED_ORIGINS holds "x.example"`},
		"short key":                  {vars: map[string]string{"SECRET_KEY": "hunter2"}, want: "SECRET_KEY is shorter than 32 characters"},
		"missing key file":           {vars: map[string]string{"SECRET_KEY_FILE": "nowhere"}, want: "SECRET_KEY_FILE names a file that cannot be read: nowhere: no such file or directory"},
		"key file is a folder":       {args: []string{"--secret-key-file", "."}, want: "--secret-key-file names a file that cannot be read"},
		"empty key file":             {vars: map[string]string{"SECRET_KEY_FILE": os.DevNull}, want: "SECRET_KEY_FILE names an empty file"},
		"key and key file":           {vars: map[string]string{"SECRET_KEY_FILE": "x", "SECRET_KEY": "hunter2"}, want: "SECRET_KEY and SECRET_KEY_FILE are both set"},
		"simulator without port":     {vars: map[string]string{"WHATSAPP_SIMULATOR_ADDR": "localhost"}, want: `WHATSAPP_SIMULATOR_ADDR is "localhost"`},
		"root key":                   {vars: map[string]string{"WHATSAPP_SIMULATOR_ROOT_KEY": "abc"}, want: "WHATSAPP_SIMULATOR_ROOT_KEY is not 64"},
		"webhook":                    {vars: map[string]string{"WHATSAPP_WEBHOOK": "https://x.example/,ftp://x.example/"}, want: "WHATSAPP_WEBHOOK cannot be used. The address"},
		"simulator without root key": {vars: map[string]string{"WHATSAPP_SIMULATOR_ADDR": "localhost:1"}, want: "belong together"},
		"log level":                  {vars: map[string]string{"LOG_LEVEL": "loud"}, want: `LOG_LEVEL is "loud"`},
		"unknown flag":               {args: []string{"--colour"}, want: "flag provided but not defined: -colour"},
		"argument":                   {args: []string{"now"}, want: `takes no argument "now"`},
		"key in the arguments":       {args: []string{"--secret-key", "x"}, want: "flag provided but not defined: -secret-key"},
	} {
		t.Run(name, func(t *testing.T) {
			inEmptyFolder(t, "")
			_, err := loadConfig("serve", c.args, with(c.vars), nil)
			var refused *refusal
			if !errors.As(err, &refused) {
				t.Fatalf("got %v, want a refusal", err)
			}
			if len(refused.faults) != 1 || !strings.Contains(refused.faults[0], c.want) {
				t.Errorf("got %q, want one fault with %q", refused.faults, c.want)
			}
			if strings.Contains(refused.Error(), "hunter2") {
				t.Errorf("%q holds the secret", refused.Error())
			}
		})
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	inEmptyFolder(t, "")
	_, err := loadConfig("serve", []string{"--log-level", "x"}, with(map[string]string{"DB_URI": "x", "APP_PORT": "y", "SECRET_KEY": "z"}), nil)
	var refused *refusal
	if !errors.As(err, &refused) || len(refused.faults) != 4 {
		t.Errorf("got %v, want four faults", err)
	}
	_, err = loadConfig("serve", nil, with(map[string]string{"APP_PORT": "y", "WHATSAPP_SIMULATOR_ADDR": "localhost:1", "SMTP_HOST": "mail.example"}), nil)
	if !errors.As(err, &refused) || len(refused.faults) != 3 {
		t.Errorf("got %v, want what is wrong and what does not go together", err)
	}
}

func TestDotEnv(t *testing.T) {
	t.Run("beside other faults", func(t *testing.T) {
		inEmptyFolder(t, "SECRET_KEY='hunter2\n")
		_, err := loadConfig("serve", nil, with(map[string]string{"APP_PORT": "y", "SMTP_HOST": "mail.example"}), nil)
		var refused *refusal
		// What SMTP_HOST needs may be in the file.
		if !errors.As(err, &refused) || len(refused.faults) != 2 || !strings.Contains(refused.Error(), ".env is not a list") || !strings.Contains(refused.Error(), "APP_PORT") {
			t.Errorf("got %v, want what is wrong with the file and with the port", err)
		}
	})
	t.Run("not readable", func(t *testing.T) {
		inEmptyFolder(t, "")
		if err := os.Mkdir(".env", 0o700); err != nil {
			t.Fatal(err)
		}
		_, err := loadConfig("serve", nil, with(nil), nil)
		if err == nil || !strings.Contains(err.Error(), ".env cannot be read") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("not a list", func(t *testing.T) {
		inEmptyFolder(t, "SECRET_KEY='hunter2\n")
		_, err := loadConfig("serve", nil, with(nil), nil)
		if err == nil || !strings.Contains(err.Error(), ".env is not a list") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("is not put into the environment", func(t *testing.T) {
		inEmptyFolder(t, "SWITCHBOARD_PROBE=1\n")
		if _, err := loadConfig("serve", nil, with(nil), nil); err != nil {
			t.Fatal(err)
		}
		if _, ok := os.LookupEnv("SWITCHBOARD_PROBE"); ok {
			t.Error("children would inherit what stands in .env")
		}
	})
}

func TestSecretsAreNotPrinted(t *testing.T) {
	inEmptyFolder(t, "")
	if err := os.WriteFile("uri", []byte("postgres://u:hunter2@host/db?password=hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := loadConfig("serve", nil, with(map[string]string{"DB_URI_FILE": filepath.Join(".", "uri"), "SECRET_KEY": "hunter2hunter2hunter2hunter2hunter2",
		"WHATSAPP_WEBHOOK": "https://u:hunter2@a.example/, https://b.example/hunter2?token=hunter2"}), nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.DBURI != "postgres://u:hunter2@host/db?password=hunter2" {
		t.Error("the database address is not the one in its file")
	}
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, nil)).Info("configuration", "config", c)
	for _, printed := range []string{c.String(), fmt.Sprint(c), fmt.Sprintf("%v", c), logged.String()} {
		if strings.Contains(printed, "hunter2") || !strings.Contains(printed, "host/db") || !strings.Contains(printed, "https://a.example,https://b.example") {
			t.Errorf("printed as %s", printed)
		}
	}
}
