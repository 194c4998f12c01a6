// Package descriptors has each message of a large protocol unfold its own descriptor when it is
// first used. The library unfolds whole files for good: WhatsApp's has hundreds of messages, of
// which a number uses a few dozen.
//
// What a message is called, and where it belongs, remains as the library has it. Its fields are
// built by the library, too, from a file that has this message only, and that is a copy of a
// piece of the whole one. See docs/adr/0015-descriptors.md.
package descriptors

import (
	"reflect"
	"strings"
	"sync"
	"weak"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/runtime/protoimpl"
)

// large is how many bytes a file has to have to be worth it.
const large = 8 << 10

// Numbers of fields in descriptor.proto.
const (
	fileName, filePackage, fileMessage, fileEnum = 1, 2, 4, 5
	fileOptions, fileSyntax, fileEdition         = 8, 12, 14
	messageNested, messageEnum, messageOptions   = 3, 4, 7
	optionMapEntry                               = 7
)

// Lazily does so for the messages and enumerations in large files of Go packages whose paths
// begin with prefix, and says how many there are. None of them may have been used before.
func Lazily(prefix string) (count int) {
	raw := make(map[protoreflect.FileDescriptor][]byte)
	source := func(d protoreflect.Descriptor) []byte {
		file := d.ParentFile()
		b, known := raw[file]
		if !known {
			b = rawOf(file)
			raw[file] = b
		}
		if len(b) < large {
			return nil
		}
		return b
	}
	protoregistry.GlobalTypes.RangeMessages(func(t protoreflect.MessageType) bool {
		info, ok := t.(*protoimpl.MessageInfo)
		if ok && strings.HasPrefix(info.GoReflectType.Elem().PkgPath(), prefix) {
			if b := source(info.Desc); b != nil {
				info.Desc = &message{MessageDescriptor: info.Desc, lazy: lazy{file: b}}
				count++
			}
		}
		return true
	})
	protoregistry.GlobalTypes.RangeEnums(func(t protoreflect.EnumType) bool {
		info, ok := t.(*protoimpl.EnumInfo)
		if ok && strings.HasPrefix(reflect.TypeOf(info.New(0)).PkgPath(), prefix) {
			if b := source(info.Desc); b != nil {
				info.Desc = &enum{EnumDescriptor: info.Desc, lazy: lazy{file: b}}
				count++
			}
		}
		return true
	})
	return count
}

// rawOf is a file in wire format, which is in the program's text. The library has it in a field
// that is not exported; nil if it has no longer.
func rawOf(file protoreflect.FileDescriptor) []byte {
	v := reflect.Indirect(reflect.ValueOf(file))
	for _, name := range []string{"builder", "RawDescriptor"} {
		if v.Kind() != reflect.Struct {
			return nil
		}
		v = v.FieldByName(name)
	}
	if !v.IsValid() || v.Type() != reflect.TypeFor[[]byte]() {
		return nil
	}
	return v.Bytes()
}

// message is a message that unfolds by itself.
type message struct {
	protoreflect.MessageDescriptor
	lazy
}

func (m *message) own() protoreflect.MessageDescriptor {
	return m.unfolded(m.MessageDescriptor).Messages().Get(0)
}

func (m *message) Fields() protoreflect.FieldDescriptors      { return m.own().Fields() }
func (m *message) Oneofs() protoreflect.OneofDescriptors      { return m.own().Oneofs() }
func (m *message) ReservedNames() protoreflect.Names          { return m.own().ReservedNames() }
func (m *message) ReservedRanges() protoreflect.FieldRanges   { return m.own().ReservedRanges() }
func (m *message) RequiredNumbers() protoreflect.FieldNumbers { return m.own().RequiredNumbers() }
func (m *message) ExtensionRanges() protoreflect.FieldRanges  { return m.own().ExtensionRanges() }
func (m *message) Options() protoreflect.ProtoMessage         { return m.own().Options() }
func (m *message) ExtensionRangeOptions(i int) protoreflect.ProtoMessage {
	return m.own().ExtensionRangeOptions(i)
}

// enum is an enumeration that unfolds by itself.
type enum struct {
	protoreflect.EnumDescriptor
	lazy
}

func (e *enum) own() protoreflect.EnumDescriptor {
	return e.unfolded(e.EnumDescriptor).Enums().Get(0)
}

func (e *enum) Values() protoreflect.EnumValueDescriptors { return e.own().Values() }
func (e *enum) ReservedNames() protoreflect.Names         { return e.own().ReservedNames() }
func (e *enum) ReservedRanges() protoreflect.EnumRanges   { return e.own().ReservedRanges() }
func (e *enum) Options() protoreflect.ProtoMessage        { return e.own().Options() }

// lazy is how a descriptor unfolds. What it unfolds to is kept for as long as somebody has a
// part of it, so that there is only one of each part at a time: that all messages are looked
// through for required fields, when one is used, leaves nothing behind.
type lazy struct {
	file []byte // which has the descriptor somewhere
	mu   sync.Mutex
	kept weak.Pointer[unfolded]
}

// unfolded is a file with one descriptor. The library has it as the registry of that file, so
// that it lives as long as anything in there.
type unfolded struct{ protoreflect.FileDescriptor }

func (l *lazy) unfolded(d protoreflect.Descriptor) *unfolded {
	l.mu.Lock()
	defer l.mu.Unlock()
	if u := l.kept.Value(); u != nil {
		return u
	}
	u := &unfolded{}
	u.FileDescriptor = protoimpl.DescBuilder{RawDescriptor: excerpt(l.file, d), FileRegistry: u}.Build().File
	l.kept = weak.Make(u)
	return u
}

// RegisterFile leaves the file out of the registry of all files, which has the whole one.
func (u *unfolded) RegisterFile(protoreflect.FileDescriptor) error { return nil }

// FindFileByPath finds nothing: what is used of other files is found by its name.
func (u *unfolded) FindFileByPath(string) (protoreflect.FileDescriptor, error) {
	return nil, protoregistry.NotFound
}

// FindDescriptorByName finds the types of fields.
func (u *unfolded) FindDescriptorByName(name protoreflect.FullName) (protoreflect.Descriptor, error) {
	if t, err := protoregistry.GlobalTypes.FindMessageByName(name); err == nil {
		return t.Descriptor(), nil
	}
	if t, err := protoregistry.GlobalTypes.FindEnumByName(name); err == nil {
		return t.Descriptor(), nil
	}
	return protoregistry.GlobalFiles.FindDescriptorByName(name)
}

// excerpt is a file with nothing but d, which is somewhere in file. The package of the excerpt
// is whatever d belongs to, so that d has its full name.
func excerpt(file []byte, d protoreflect.Descriptor) []byte {
	var path []int
	for at := d; at.Parent() != nil; at = at.Parent() {
		path = append(path, at.Index())
	}
	_, isEnum := d.(protoreflect.EnumDescriptor)
	var b []byte
	for num, field := range fields(file) {
		switch num {
		case fileName, fileOptions, fileSyntax, fileEdition:
			b = append(b, field.whole...)
		}
	}
	if parent := d.Parent().FullName(); parent != "" {
		b = protowire.AppendTag(b, filePackage, protowire.BytesType)
		b = protowire.AppendString(b, string(parent))
	}
	within, nested, enums := file, protowire.Number(fileMessage), protowire.Number(fileEnum)
	for i := len(path) - 1; i > 0; i-- {
		within = nth(within, nested, path[i])
		nested, enums = messageNested, messageEnum
	}
	if isEnum {
		b = protowire.AppendTag(b, fileEnum, protowire.BytesType)
		return protowire.AppendBytes(b, nth(within, enums, path[0]))
	}
	var own []byte
	for num, field := range fields(nth(within, nested, path[0])) {
		if num == messageEnum || num == messageNested && !mapEntry(field.value) {
			continue // it unfolds by itself
		}
		own = append(own, field.whole...)
	}
	b = protowire.AppendTag(b, fileMessage, protowire.BytesType)
	return protowire.AppendBytes(b, own)
}

// mapEntry tells whether a message is what a map consists of, which nobody else uses.
func mapEntry(message []byte) bool {
	for num, options := range fields(message) {
		if num != messageOptions {
			continue
		}
		for num, field := range fields(options.value) {
			if num == optionMapEntry {
				set, _ := protowire.ConsumeVarint(field.value)
				return set != 0
			}
		}
	}
	return false
}
