package worker

import (
	"encoding/json"

	"switchboard/fault"
	"switchboard/settings"
)

// configured is a part of the worker that works by settings. Apply takes those of a later
// revision; it is called by one goroutine at a time, and does not block.
type configured interface{ Apply(settings.Settings) }

// configure has every part work by the settings in a document. The session comes last: it
// reports which revision is in force.
func configure(document json.RawMessage, parts ...configured) error {
	var s settings.Settings
	if len(document) == 0 {
		return nil // nothing was ever set
	}
	if err := json.Unmarshal(document, &s); err != nil {
		return fault.Wrap(fault.Invalid, "The settings of this number cannot be read.", err)
	}
	for _, p := range parts {
		p.Apply(s)
	}
	return nil
}
