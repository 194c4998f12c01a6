// Package simulator is a WhatsApp network in one process: the unmodified whatsmeow client
// connects to it, pairs, logs in and exchanges messages with other clients of it.
//
// The network sees what WhatsApp's servers see and no more. Encryption happens between the
// clients: simulated phones (package simulator/phone) are whatsmeow clients too, logged in
// as device 0 of their account, and keep what a phone keeps. This package is the server:
// sockets, accounts, devices, their public keys, and the routing of sealed messages.
//
// # Faithful
//
// As far as whatsmeow can tell, and as far as is known of the real network:
//   - the Noise handshake with its certificate chain, frames and binary XML;
//   - pairing by QR code, by phone code and with a passkey, whose assertion and signatures
//     are checked, and the restart (515) that follows;
//   - login by noise key, one-time and signed prekeys, lists of devices and the notifications
//     and hashes by which clients keep theirs up to date;
//   - messages to users, groups and status, addressed by LID or by number, to all devices of
//     both sides; receipts, retry receipts, presence, typing;
//   - at-least-once delivery: a message, receipt or notification is kept until its device
//     has acknowledged it and comes again at the next login, in order. A message that a
//     client repeats after a reconnect is delivered once. A sender's acknowledgement means
//     that the message is on disk;
//   - groups and communities, channels, app state with its conflicts, media, pictures, about
//     texts, privacy, blocking, business profiles;
//   - calls as far as they ring: offered, turned down, ended;
//   - files that the servers of media have forgotten: a linked device asks the phone, which
//     uploads its copy again or says that it has none;
//   - every iq is answered; what is not simulated with error 501.
//
// # Our own choice
//
//   - LIDs of accounts are random, ids of groups and stanzas too. All groups are addressed by
//     LID, as new ones are today.
//   - App state has no snapshots: a new device reads all patches since the beginning.
//   - No more than 512 kept stanzas are under way to one client, because whatsmeow's own
//     queue loses the order of more than 2,048.
//   - "Contacts" in a privacy setting means everybody: the network knows no address books.
//   - Up to 99 devices can be linked to an account; nothing expires; nothing is rationed.
//   - A channel's messages count up from 100, and each follower counts as a view. Everybody who
//     has the channel is told of reactions, whether subscribed to its updates or not. Messages of
//     channels cannot be changed or revoked.
//   - Media are forgotten when Expire says so, and not before. How a phone passes on its answer
//     to a linked device is between it and the network.
//   - A call rings for two minutes at most; what is about one that does not ring gets error 404.
//   - Labels are kept for every account; the real network offers them to businesses alone.
//   - Whoever has asked for an account's list of devices is told when it changes.
//
// # Faults
//
// See Drop, Silence, FailStream, FailLogins, RefuseSends and Restart. Connections and Stats
// are for tests that want to prove what did not happen: no reconnect, no retry.
package simulator
