package instances

import "cmp"

// Limits are what the worker of a number may use of the machine; zero means no limit.
type Limits struct {
	Memory    int64 `json:"memory,omitempty"`     // bytes in RAM that are its own
	CPU       int64 `json:"cpu,omitempty"`        // percent of one processor
	OpenFiles int64 `json:"open_files,omitempty"` // files and connections
	Log       int64 `json:"log,omitempty"`        // bytes of its log, with old files; 0: 20 MiB
	Disk      int64 `json:"disk,omitempty"`       // bytes of all its files, databases on a server left out
}

// Or returns the limits with those of all numbers where l has none.
func (l Limits) Or(all Limits) Limits {
	return Limits{
		Memory: cmp.Or(l.Memory, all.Memory), CPU: cmp.Or(l.CPU, all.CPU), OpenFiles: cmp.Or(l.OpenFiles, all.OpenFiles),
		Log: cmp.Or(l.Log, all.Log), Disk: cmp.Or(l.Disk, all.Disk),
	}
}
