// Package simulator is a WhatsApp network in one process: the unmodified whatsmeow client
// connects to it, pairs, logs in and exchanges messages with other clients of it.
//
// The network only ever sees what WhatsApp's servers see. Encryption happens between the
// clients: simulated phones (package simulator/phone) are whatsmeow clients too, logged in
// as device 0 of their account.
package simulator
