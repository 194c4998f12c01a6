// Package archive is the file format of backups.
//
// A backup is one stream: an age file (https://age-encryption.org), encrypted with a
// passphrase, in which there is a gzip file, in which there are lines of JSON. The first line
// says what it is, the last that it is complete. Between them come sections: the record of a
// number, databases with their schema, all their rows, and the count and the sum of each
// table, and behind the databases of a number its files, each between a line with its name
// and size and one with its sum. Nothing in it depends on the database engine that it came
// from. `age -d backup | gunzip` shows it to a person. Format 1 had no files.
//
// What a Reader gives out may be believed piece by piece, and the whole only when it has come
// to the end. Whoever is going to write reads a backup twice: the first time finds every
// truncation and every alteration, so that nothing is written from a broken one.
package archive

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"filippo.io/age"

	"switchboard/fault"
	"switchboard/tables"
)

// Format is the version of the format that this program writes, and the newest it reads.
const Format = 2

// WithFiles is the first format in which the files of numbers are.
const WithFiles = 2

const magic = "switchboard backup"

// Why a backup cannot be read. The faults of this package wrap one of them.
var (
	ErrPassphrase = errors.New("wrong passphrase")
	ErrDamaged    = errors.New("backup is damaged or incomplete")
	ErrNewer      = errors.New("backup of a newer format")
	ErrForeign    = errors.New("no backup")
)

// The parts of a backup that are databases.
const (
	Control = "control" // people, tokens and what else the installation knows
	Main    = "main"    // of a number: messages, chats, contacts
	Keys    = "keys"    // of a number: session and encryption keys
)

// Header is the beginning of a backup.
type Header struct {
	Magic     string    `json:"what"`
	Format    int       `json:"format"`
	Program   string    `json:"program"` // version that wrote it
	CreatedAt time.Time `json:"created_at"`
	Whole     bool      `json:"whole"` // an installation, not single numbers
	// Settings is what a person set for all numbers, in a whole backup.
	Settings json.RawMessage `json:"settings,omitempty"`
}

// Number is the record of a number. The sections behind it are its databases, and then its
// files.
type Number struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	Phone      string    `json:"phone"`
	OwnerEmail string    `json:"owner_email"` // "" if unknown
	JID        string    `json:"jid"`
	LID        string    `json:"lid"`
	PushName   string    `json:"push_name"`
	Desired    string    `json:"desired"`
	Port       int       `json:"port"`
	CreatedAt  time.Time `json:"created_at"`
	// Linked tells whether its keys are those of a linked device; nil if an earlier program did
	// not say.
	Linked *bool `json:"linked,omitempty"`
	// Settings is what a person set for the number; absent if nothing.
	Settings json.RawMessage `json:"settings,omitempty"`
}

// Database begins a database's section: which one it is, the version of its schema, and the
// schema itself.
type Database struct {
	Part    string         `json:"part"`
	Version int64          `json:"version"`
	Tables  []tables.Table `json:"tables"`
}

// line is any line but the first and those with rows.
type line struct {
	Number   *Number        `json:"number,omitempty"`
	Database *Database      `json:"database,omitempty"`
	Table    string         `json:"table,omitempty"` // the rows of it follow
	Sums     map[string]sum `json:"sums,omitempty"`  // ends a database
	Files    *FilesAhead    `json:"files,omitempty"`
	File     *File          `json:"file,omitempty"` // its content follows
	FileEnd  *fileEnd       `json:"file_end,omitempty"`
	FilesEnd *filesEnd      `json:"files_end,omitempty"`
	Complete *complete      `json:"complete,omitempty"`
}

type sum struct {
	Rows   int64  `json:"rows"`
	SHA256 []byte `json:"sha256"`
}

type complete struct {
	Numbers   int `json:"numbers"`
	Databases int `json:"databases"`
	Files     int `json:"files,omitempty"` // of how many numbers
}

// Key encrypts and decrypts backups.
type Key struct {
	secret string
	cost   int // of deriving the key, as a power of two
}

const (
	// passphraseCost makes each guess of a passphrase cost about a second and 256 MB.
	passphraseCost = 18
	// randomCost is for keys that nobody can guess.
	randomCost = 1
)

// Passphrase is the key that a person chose.
func Passphrase(secret string) Key { return Key{secret, passphraseCost} }

// Random is a key that holds at least 128 bits of chance; it costs no time.
func Random(secret string) Key { return Key{secret, randomCost} }

func (k Key) encrypt(w io.Writer) (io.WriteCloser, error) {
	recipient, err := age.NewScryptRecipient(k.secret)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "The passphrase is empty.", err)
	}
	recipient.SetWorkFactor(k.cost)
	return age.Encrypt(w, recipient)
}

func (k Key) decrypt(r io.Reader) (io.Reader, error) {
	identity, err := age.NewScryptIdentity(k.secret)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "The passphrase is empty.", err)
	}
	identity.SetMaxWorkFactor(passphraseCost) // a forged file could ask for gigabytes of memory
	plain, err := age.Decrypt(r, identity)
	var mismatch *age.NoIdentityMatchError
	switch {
	case errors.As(err, &mismatch):
		return nil, fault.Wrap(fault.Invalid, "This is not the passphrase that the backup was written with.",
			fmt.Errorf("%w: %w", ErrPassphrase, err))
	case err != nil:
		return nil, fault.Wrap(fault.Invalid, "This file is no backup of Switchboard, or its beginning is damaged.",
			fmt.Errorf("%w: %w", ErrForeign, err))
	}
	return plain, nil
}

func damaged(err error) error {
	return fault.Wrap(fault.Invalid, "The backup is damaged or incomplete; use another one.", fmt.Errorf("%w: %w", ErrDamaged, err))
}

// Recrypt writes a backup that is encrypted with one key so that another opens it. A key that
// does not open it is a fault as with NewReader.
func Recrypt(w io.Writer, r io.Reader, from, to Key) error {
	plain, err := from.decrypt(r)
	if err != nil {
		return err
	}
	sealed, err := to.encrypt(w)
	if err != nil {
		return err
	}
	if _, err := io.Copy(sealed, plain); err != nil {
		return damaged(err)
	}
	return sealed.Close()
}
