package views

import (
	"slices"

	"switchboard/instances"
)

// rolloutStopped says why an update went no further, and what to do.
func (n Numbers) rolloutStopped() string {
	r := n.Rollout
	who := "One number"
	if n.sees(r.Stopped) {
		who = "“" + r.Name + "”"
	}
	return who + " did not come back with it, so it runs with version " + r.Old +
		" again, and all other numbers stayed there. Nothing was lost. Install a version that works, then restart Switchboard; restarted as it is, it tries this version once more."
}

// sees reports whether a number is among those of the person.
func (n Numbers) sees(id instances.ID) bool {
	return slices.ContainsFunc(n.All, func(i instances.Instance) bool { return i.ID == id })
}
