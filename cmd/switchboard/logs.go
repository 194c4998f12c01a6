package main

import (
	"path/filepath"

	"switchboard/control"
	"switchboard/instances"
	"switchboard/journal"
	"switchboard/resources"
)

// logsIn returns a function that says where a number's process writes its log.
// folderSize returns what says how many bytes the folders of numbers have.
func folderSize(storage string) func(instances.ID) int64 {
	return func(id instances.ID) int64 {
		return resources.FolderSize(filepath.Join(storage, "instances", string(id)))
	}
}

func logsIn(storage string) func(instances.ID) journal.Log {
	return func(id instances.ID) journal.Log {
		return journal.Log{Dir: filepath.Join(storage, "instances", string(id)), Name: control.LogName}
	}
}
