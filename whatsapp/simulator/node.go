package simulator

import (
	"crypto/sha256"
	"encoding/base64"
	"sort"
	"strconv"
	"strings"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// The binary format knows tokens, numbers, JIDs and bytes, and decodes a value as what it
// happened to be encoded as. These helpers read an attribute or a content in the one way
// that the caller means.

func attr(n *waBinary.Node, key string) string {
	switch v := n.Attrs[key].(type) {
	case string:
		return v
	case types.JID:
		return v.String()
	}
	return ""
}

func attrJID(n *waBinary.Node, key string) types.JID {
	switch v := n.Attrs[key].(type) {
	case types.JID:
		return v
	case string:
		if jid, err := types.ParseJID(v); err == nil {
			return jid
		}
	}
	return types.EmptyJID
}

func attrInt(n *waBinary.Node, key string) int {
	i, _ := strconv.Atoi(attr(n, key))
	return i
}

func content(n *waBinary.Node) []byte {
	switch v := n.Content.(type) {
	case []byte:
		return v
	case string:
		return []byte(v)
	case types.JID:
		return []byte(v.String())
	}
	return nil
}

// child returns the first child with that tag; ok is false when there is none.
func child(n *waBinary.Node, tag string) (c waBinary.Node, ok bool) {
	return n.GetOptionalChildByTag(tag)
}

func node(tag string, attrs waBinary.Attrs, children ...waBinary.Node) waBinary.Node {
	n := waBinary.Node{Tag: tag, Attrs: attrs}
	if len(children) > 0 {
		n.Content = children
	}
	return n
}

func data(tag string, attrs waBinary.Attrs, content []byte) waBinary.Node {
	return waBinary.Node{Tag: tag, Attrs: attrs, Content: content}
}

func unixNow() int64 { return time.Now().Unix() }

// participantHash is the hash by which clients and server compare lists of devices.
func participantHash(devices []types.JID) string {
	names := make([]string, len(devices))
	for i, d := range devices {
		names[i] = d.ADString()
	}
	sort.Strings(names)
	sum := sha256.Sum256([]byte(strings.Join(names, "")))
	return "2:" + base64.RawStdEncoding.EncodeToString(sum[:6])
}

func sortByTime[T any](list []T, at func(T) time.Time) {
	sort.SliceStable(list, func(i, j int) bool { return at(list[i]).Before(at(list[j])) })
}
