package descriptors

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"

	_ "go.mau.fi/whatsmeow" // with all that WhatsApp speaks
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	_ "google.golang.org/protobuf/types/descriptorpb" // for options
)

const prefix = "go.mau.fi/whatsmeow/proto/"

var changed = Lazily(prefix)

// unfoldedWhole tells whether the library has unfolded a whole file.
func unfoldedWhole(t *testing.T, file protoreflect.FileDescriptor) bool {
	t.Helper()
	whole := reflect.ValueOf(file).Elem().FieldByName("L2")
	if !whole.IsValid() {
		t.Fatal("the library has no field that tells whether a file is unfolded: this test needs another way")
	}
	return !whole.IsNil()
}

// A message that is written, read, copied, compared, printed and looked through does not
// unfold its file, and comes out as it went in. This has to be the first test.
func TestNothingUnfoldsTheWholeFile(t *testing.T) {
	if changed < 500 {
		t.Fatalf("%d descriptors unfold by themselves: the library has changed", changed)
	}
	m := &waE2E.Message{
		ExtendedTextMessage: &waE2E.ExtendedTextMessage{
			Text: proto.String("hello"), PreviewType: waE2E.ExtendedTextMessage_VIDEO.Enum(),
			ContextInfo: &waE2E.ContextInfo{StanzaID: proto.String("1"), MentionedJID: []string{"a", "b"}},
		},
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			b, err := proto.Marshal(m)
			if err != nil {
				t.Error(err)
			}
			got := &waE2E.Message{}
			if err := proto.Unmarshal(b, got); err != nil || !proto.Equal(got, m) || !proto.Equal(proto.Clone(got), m) {
				t.Errorf("came out as %v, %v", got, err)
			}
			if s := fmt.Sprint(got); !strings.Contains(s, "VIDEO") {
				t.Errorf("printed as %s", s)
			}
		})
	}
	all.Wait()
	for i := range 2 {
		runtime.GC()
		if got := m.GetExtendedTextMessage().GetPreviewType().String(); got != "VIDEO" {
			t.Errorf("the enumeration's value is called %q in round %d", got, i)
		}
	}
	if unfoldedWhole(t, waE2E.File_waE2E_WAWebProtobufsE2E_proto) {
		t.Error("the file with all messages was unfolded")
	}
}

// Each message and each enumeration is what the whole file says, to the last part.
func TestEachIsWhatTheWholeFileSays(t *testing.T) {
	compared := 0
	protoregistry.GlobalTypes.RangeMessages(func(mt protoreflect.MessageType) bool {
		if m, ok := mt.Descriptor().(*message); ok {
			same(t, describeMessage(m), describeMessage(m.MessageDescriptor))
			compared++
		}
		return true
	})
	protoregistry.GlobalTypes.RangeEnums(func(et protoreflect.EnumType) bool {
		if e, ok := et.Descriptor().(*enum); ok {
			same(t, describeEnum(e), describeEnum(e.EnumDescriptor))
			compared++
		}
		return true
	})
	if compared != changed {
		t.Errorf("%d of %d compared", compared, changed)
	}
}

// There is only one of each part while somebody has it.
func TestPartsAreTheSame(t *testing.T) {
	first := (&waE2E.Message{}).ProtoReflect().Descriptor().Fields().ByName("conversation")
	runtime.GC()
	if again := (&waE2E.Message{}).ProtoReflect().Descriptor().Fields().ByName("conversation"); again != first {
		t.Error("a field is another one a moment later")
	}
}

func same(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// describeMessage is all that a descriptor tells of a message, apart from what is nested in it.
func describeMessage(m protoreflect.MessageDescriptor) string {
	var b strings.Builder
	fmt.Fprintln(&b, m.FullName(), m.Name(), m.Index(), m.Parent().FullName(), m.ParentFile().Path(), m.Syntax(), m.IsMapEntry(),
		m.Options(), m.RequiredNumbers(), m.ReservedNames(), m.ReservedRanges(), m.ExtensionRanges())
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		fmt.Fprintln(&b, f.FullName(), f.Index(), f.Number(), f.Kind(), f.Cardinality(), f.JSONName(), f.HasJSONName(), f.TextName(),
			f.HasPresence(), f.HasOptionalKeyword(), f.IsPacked(), f.IsList(), f.IsMap(), f.IsExtension(), f.HasDefault(), f.Default(), f.Options(),
			f.ContainingMessage().FullName(), f.ParentFile().Path(), f.Syntax(), f.(interface{ EnforceUTF8() bool }).EnforceUTF8())
		if f.ContainingOneof() != nil {
			fmt.Fprintln(&b, f.ContainingOneof().FullName())
		}
		if f.Enum() != nil {
			fmt.Fprintln(&b, f.Enum().FullName(), f.Enum().IsClosed(), f.Enum().IsPlaceholder(), f.DefaultEnumValue())
		}
		if f.Message() != nil {
			fmt.Fprintln(&b, f.Message().FullName(), f.Message().IsPlaceholder())
		}
		if f.IsMap() {
			fmt.Fprintln(&b, describeMessage(f.Message()))
		}
	}
	for i := range m.Oneofs().Len() {
		o := m.Oneofs().Get(i)
		fmt.Fprintln(&b, o.FullName(), o.Index(), o.IsSynthetic(), o.Options())
		for j := range o.Fields().Len() {
			fmt.Fprintln(&b, o.Fields().Get(j).FullName())
		}
	}
	return b.String()
}

func describeEnum(e protoreflect.EnumDescriptor) string {
	var b strings.Builder
	fmt.Fprintln(&b, e.FullName(), e.Index(), e.IsClosed(), e.Options(), e.ReservedNames(), e.ReservedRanges(), e.Parent().FullName())
	for i := range e.Values().Len() {
		v := e.Values().Get(i)
		fmt.Fprintln(&b, v.FullName(), v.Index(), v.Number(), v.Options())
	}
	return b.String()
}
