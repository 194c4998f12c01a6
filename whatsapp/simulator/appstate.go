package simulator

import (
	"context"
	"fmt"

	"switchboard/engine"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waServerSync"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// patchesAtOnce is how many patches one answer holds; the client asks for the rest.
const patchesAtOnce = 256

// handleAppState keeps collections of encrypted settings (names of contacts, muted chats …)
// as the list of all patches since the beginning, which the devices of an account share.
// There are no snapshots: a new device reads all patches.
func (c *connection) handleAppState(d *device, iq *waBinary.Node, sync waBinary.Node) {
	var out []waBinary.Node
	for _, collection := range sync.GetChildren() {
		if collection.Tag != "collection" {
			continue
		}
		answer, err := c.n.syncCollection(d, &collection)
		if err != nil {
			c.n.log.Error("app state could not be synchronised", "err", err)
			c.fail(iq, 500, "internal-server-error")
			return
		}
		out = append(out, answer)
	}
	c.result(iq, node("sync", nil, out...))
}

// syncCollection takes a patch, if there is one, and answers with what the client lacks.
func (n *Network) syncCollection(d *device, collection *waBinary.Node) (waBinary.Node, error) {
	a, name, version := d.account, attr(collection, "name"), uint64(attrInt(collection, "version"))
	attrs := waBinary.Attrs{"name": name}
	patch, writes := child(collection, "patch")

	a.appState.Lock()
	defer a.appState.Unlock()
	current := a.versions[name]
	if writes && version == current {
		if err := n.appendPatch(a, name, current+1, content(&patch)); err != nil {
			return waBinary.Node{}, err
		}
		a.versions[name] = current + 1
		for _, o := range n.devicesOf(a) {
			if o != d {
				n.notify(o, "server_sync", a.jid(types.DefaultUserServer), nil,
					node("collection", waBinary.Attrs{"name": name, "version": current + 1}))
			}
		}
		attrs["version"] = current + 1
		return node("collection", attrs), nil
	}
	missing, more, err := n.patches(a, name, version)
	if err != nil {
		return waBinary.Node{}, err
	}
	attrs["version"] = current
	parts := []waBinary.Node{}
	if writes {
		attrs["type"] = "error"
		parts = append(parts, node("error", waBinary.Attrs{"code": 409, "text": "conflict"}))
	}
	if more {
		attrs["has_more_patches"] = "true"
	}
	if len(missing) > 0 || writes {
		parts = append(parts, node("patches", nil, missing...))
	}
	return node("collection", attrs, parts...), nil
}

func (n *Network) appendPatch(a *account, name string, version uint64, raw []byte) error {
	var patch waServerSync.SyncdPatch
	if err := proto.Unmarshal(raw, &patch); err != nil {
		return fmt.Errorf("app state patch: %w", err)
	}
	patch.Version = &waServerSync.SyncdVersion{Version: proto.Uint64(version)}
	raw, err := proto.Marshal(&patch)
	if err != nil {
		return fmt.Errorf("app state patch: %w", err)
	}
	return n.state.journal.write(op{
		`INSERT INTO "app_state" ("number", "collection", "version", "patch") VALUES ($1, $2, $3, $4)`,
		[]any{a.Number, name, version, raw},
	})
}

func (n *Network) patches(a *account, name string, after uint64) (out []waBinary.Node, more bool, err error) {
	out, err = engine.All(context.Background(), n.state.readDB, "read patches", func(r engine.Row) (waBinary.Node, error) {
		var raw []byte
		err := r.Scan(&raw)
		return data("patch", nil, raw), err
	}, `SELECT "patch" FROM "app_state" WHERE "number" = $1 AND "collection" = $2 AND "version" > $3 ORDER BY "version" LIMIT $4`,
		a.Number, name, after, patchesAtOnce+1)
	if more = len(out) > patchesAtOnce; more {
		out = out[:patchesAtOnce]
	}
	return out, more, err
}
