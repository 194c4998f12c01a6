// Command bare is the whatsmeow client as it comes, for benchmarks that measure a number beside
// it: it stores its own keys and nothing else, links itself to a phone, and sends texts when it
// is told to. It talks in lines of JSON: on its standard output the code to scan, then a line
// when it is connected, then what came of each order that it reads on its standard input.
package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"

	_ "github.com/mattn/go-sqlite3"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	waLog "go.mau.fi/whatsmeow/util/log"

	"switchboard/engine"
	"switchboard/gowa/gowatest"
	_ "switchboard/whatsapp/serial" // sets up the library's logger
)

// Order is what it is told to send: count texts, so many at once, and then another one.
type Order struct {
	To            string
	Text, Last    string
	Count, Flying int
}

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves orders, with its keys in a file, on the network at addr.
func run(path, addr, rootKey string) error {
	ctx := context.Background()
	key, err := hex.DecodeString(rootKey)
	if err != nil {
		return err
	}
	whatsmeow.WACertPubKey = [32]byte(key)
	file := engine.At(path)
	if err := file.Create(); err != nil {
		return err
	}
	db, err := file.Open(ctx)
	if err != nil {
		return err
	}
	store := sqlstore.NewWithDB(db, "sqlite3", waLog.Noop)
	if err := store.Upgrade(ctx); err != nil {
		return err
	}
	client := whatsmeow.NewClient(store.NewDevice(), waLog.Noop)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", addr)
	}
	way := &http.Client{Transport: &http.Transport{DialContext: dial, DialTLSContext: dial}}
	client.SetPreLoginHTTPClient(way)
	client.SetWebsocketHTTPClient(way)
	client.SetMediaHTTPClient(way)
	codes, connected := make(chan string, 1), make(chan struct{}, 10)
	client.AddEventHandler(func(e any) {
		switch e := e.(type) {
		case *events.QR:
			codes <- e.Codes[0]
		case *events.Connected:
			connected <- struct{}{}
		}
	})
	if err := client.Connect(); err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(<-codes); err != nil {
		return err
	}
	<-connected
	if err := out.Encode("connected"); err != nil {
		return err
	}
	send := func(to types.JID, text string) {
		if _, err := client.SendMessage(ctx, to, &waE2E.Message{Conversation: &text}); err != nil {
			panic(err)
		}
	}
	for in := json.NewDecoder(os.Stdin); ; {
		var o Order
		if in.Decode(&o) != nil {
			return nil // nobody orders any more
		}
		to := types.NewJID(o.To, types.DefaultUserServer)
		l := gowatest.Flight(o.Count, o.Flying, func() { send(to, o.Text) })
		send(to, o.Last)
		if err := out.Encode(l); err != nil {
			return err
		}
	}
}
