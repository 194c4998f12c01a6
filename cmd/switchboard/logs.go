package main

import (
	"path/filepath"

	"switchboard/control"
	"switchboard/instances"
	"switchboard/journal"
)

// logsIn returns a function that says where a number's process writes its log.
func logsIn(storage string) func(instances.ID) journal.Log {
	return func(id instances.ID) journal.Log {
		return journal.Log{Dir: filepath.Join(storage, "instances", string(id)), Name: control.LogName}
	}
}
