package serial_test

import (
	"context"
	"fmt"
	"reflect"
	"testing"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/libsignal/keys/identity"
	"go.mau.fi/libsignal/protocol"
	"go.mau.fi/libsignal/session"
	"go.mau.fi/libsignal/state/record"
	"go.mau.fi/libsignal/util/optional"
	"go.mau.fi/whatsmeow/store"
)

// begin makes d begin a session of its own with another device, whatever they have already.
func (d *device) begin(t *testing.T, with *device) {
	t.Helper()
	builder := session.NewBuilderFromSignal(d, with.address(), store.SignalProtobufSerializer)
	if err := builder.ProcessBundle(t.Context(), with.bundle(t)); err != nil {
		t.Fatal(err)
	}
}

// write returns n messages to another device.
func (d *device) write(t *testing.T, to *device, n int) (sealed []protocol.CiphertextMessage) {
	t.Helper()
	for i := range n {
		err := d.guard.Send(t.Context(), *to.ID, func(ctx context.Context) error {
			m, err := d.encrypt(ctx, to.address(), fmt.Sprint(i))
			sealed = append(sealed, m)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return sealed
}

// read demands that every message opens, and that each steps one state and leaves the others
// as they are.
func (d *device) read(t *testing.T, from *device, sealed []protocol.CiphertextMessage) {
	t.Helper()
	for i, m := range sealed {
		before := d.states(t, from)
		if text, err := d.decrypt(t.Context(), from.address(), m); err != nil || text != fmt.Sprint(i) {
			t.Fatalf("message %d opened as %q: %v", i, text, err)
		}
		after := d.states(t, from)
		current := string(after[0].SenderBaseKey)
		for _, old := range before {
			found := 0
			for _, s := range after {
				if string(s.SenderBaseKey) != string(old.SenderBaseKey) {
					continue
				}
				found++
				if string(s.SenderBaseKey) != current && !reflect.DeepEqual(s, old) {
					t.Fatalf("message %d changed a state it does not belong to", i)
				}
			}
			if found != 1 {
				t.Fatalf("after message %d a state is there %d times", i, found)
			}
		}
	}
}

// states returns the states of the stored session with another device, the current one first.
func (d *device) states(t *testing.T, with *device) []*record.StateStructure {
	t.Helper()
	var raw []byte
	err := d.guard.Send(t.Context(), *with.ID, func(ctx context.Context) (err error) {
		raw, err = d.Sessions.GetSession(ctx, with.address().String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if raw == nil {
		return nil
	}
	s, err := store.SignalProtobufSerializer.Session.Deserialize(raw)
	if err != nil {
		t.Fatal(err)
	}
	return append([]*record.StateStructure{s.SessionState}, s.PreviousStates...)
}

// TestBothBegin has two devices write to each other before either knows of the other's
// session, and go on so that their messages always cross: each end then answers in the state
// that the other one has just left. On the way they begin anew, as after a retry receipt.
func TestBothBegin(t *testing.T) {
	t.Parallel()
	for _, burst := range []int{1, 5} {
		t.Run(fmt.Sprintf("%d at a time", burst), func(t *testing.T) {
			t.Parallel()
			a, b := newDevice(t, "4915110000001"), newDevice(t, "4915110000002")
			began := 0
			for round := range 20 {
				if round == 0 || round == 5 || round == 6 {
					a.begin(t, b)
					b.begin(t, a)
					began += 2
				}
				toB, toA := a.write(t, b, burst), b.write(t, a, burst)
				a.read(t, b, toA)
				b.read(t, a, toB)
			}
			if n, m := len(a.states(t, b)), len(b.states(t, a)); n != began || m != began {
				t.Errorf("%d and %d states, want %d", n, m, began)
			}
		})
	}
}

// TestAStateThatOpensNothing wraps a message of one state as if it began another.
func TestAStateThatOpensNothing(t *testing.T) {
	t.Parallel()
	a, b := newDevice(t, "4915110000001"), newDevice(t, "4915110000002")
	a.begin(t, b)
	b.read(t, a, a.write(t, b, 1))
	a.read(t, b, b.write(t, a, 1))
	base, err := ecc.GenerateKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	serializer := store.SignalProtobufSerializer
	odd, err := protocol.NewPreKeySignalMessage(protocol.CurrentVersion, a.RegistrationID, optional.NewEmptyUint32(), b.SignedPreKey.KeyID,
		base.PublicKey(), identity.NewKey(ecc.NewDjbECPublicKey(*a.IdentityKey.Pub)), a.write(t, b, 1)[0].(*protocol.SignalMessage),
		serializer.PreKeySignalMessage, serializer.SignalMessage)
	if err != nil {
		t.Fatal(err)
	}
	b.read(t, a, []protocol.CiphertextMessage{odd})
	if n := len(b.states(t, a)); n != 1 {
		t.Errorf("%d states, want the one that opens messages", n)
	}
	a.read(t, b, b.write(t, a, 2))
	b.read(t, a, a.write(t, b, 2))
}
