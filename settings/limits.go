package settings

import (
	"context"
	"errors"
	"fmt"

	"switchboard/fault"
	"switchboard/instances"
)

// What one number may be limited to at least, so that it can start and do its work, and at most.
const (
	LeastMemory = 32 << 20
	MostMemory  = 1 << 40
	LeastCPU    = 10 // with less, it would not answer in time and be taken for dead
	MostCPU     = 6400
	LeastFiles  = 64
	MostFiles   = 1 << 20
	LeastLog    = 4 << 20
	MostLog     = 10 << 30
	LeastDisk   = 50 << 20
	MostDisk    = 100 << 40
)

// Bounds are what the limits of a number are seen against.
type Bounds struct {
	All    instances.Limits         // of numbers that have none of their own
	Groups bool                     // whether there are control groups, without which nothing limits processors
	Folder func(instances.ID) int64 // bytes in the folder of a number now
}

// SetLimits has the number keep to limits of its own; where one is zero, to that of all
// numbers. folder is what its folder has now: a new limit of the disk below that would stop it
// at once. The error is a
// fault that names every field that cannot be as it is, and s is then as it was.
func (s *Settings) SetLimits(l instances.Limits, folder int64) error {
	var wrong []error
	need := func(n, least, most int64, field, sentence string) {
		if n != 0 && (n < least || n > most) {
			wrong = append(wrong, fault.InField(field, sentence))
		}
	}
	mb := func(n, least, most int64, field string) {
		need(n, least, most, field, fmt.Sprintf("Enter a size from %d MB to %s, or nothing for the limit of all numbers.", least>>20, large(most)))
	}
	mb(l.Memory, LeastMemory, MostMemory, "memory_bytes")
	need(l.CPU, LeastCPU, MostCPU, "cpu_percent", fmt.Sprintf("Enter a share from %d to %d percent, where 100 is one whole processor, or nothing for the limit of all numbers.", LeastCPU, MostCPU))
	need(l.OpenFiles, LeastFiles, MostFiles, "open_files", fmt.Sprintf("Enter a number of files from %d to %d, or nothing for the limit of all numbers.", LeastFiles, MostFiles))
	mb(l.Log, LeastLog, MostLog, "log_bytes")
	mb(l.Disk, LeastDisk, MostDisk, "disk_bytes")
	if folder > LeastDisk && l.Disk != s.Limits.Disk { // a number that is over its limit can still get other ones
		need(l.Disk, folder, MostDisk, "disk_bytes", fmt.Sprintf("The folder of this number has %d MB already. Make room first, or enter more than that.", folder>>20))
	}
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	s.Limits = l
	return nil
}

func large(n int64) string {
	if n >= 1<<40 {
		return fmt.Sprintf("%d TB", n>>40)
	}
	return fmt.Sprintf("%d GB", n>>30)
}

// LimitAll says what numbers are limited to that have no limit of their own. It has to be
// called before anything else. Other limits than those of the last start are kept with what else
// is for all numbers: so workers that run since then are told of them.
func (k *Keeper) LimitAll(ctx context.Context, all instances.Limits) error {
	k.limits = all
	shared, err := k.Get(ctx, Shared)
	if err != nil || shared.Limits == all {
		return err
	}
	return k.Update(ctx, Shared, func(s *Settings) error {
		s.Limits = all
		return nil
	})
}

// Limits are what a number is to keep to.
func (k *Keeper) Limits(ctx context.Context, id instances.ID) (instances.Limits, error) {
	own, err := k.Get(ctx, id)
	return own.Limits.Or(k.limits), err
}
