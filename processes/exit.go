package processes

import (
	"os"
	"syscall"

	"switchboard/cgroups"
	"switchboard/control"
	"switchboard/instances"
)

// meanings of the exit codes that a worker chooses. What is not here is a crash.
var meanings = map[control.ExitCode]instances.Exit{
	control.ExitUsage:           {Reason: instances.StartRefused, Final: true},
	control.ExitDatabaseRefused: {Reason: instances.DatabaseRefused},
	control.ExitDatabaseDamaged: {Reason: instances.DatabaseDamaged, Final: true},
	control.ExitDatabaseNewer:   {Reason: instances.DatabaseNewer, Final: true},
	control.ExitLocked:          {Reason: instances.LockedByAnother},
	control.ExitPortTaken:       {Reason: instances.PortTaken},
	control.ExitMemoryLimit:     {Reason: instances.MemoryLimit},
	control.ExitFilesLimit:      {Reason: instances.FilesLimit},
	control.ExitDiskLimit:       {Reason: instances.DiskLimit},
	control.ExitStorageFull:     {Reason: instances.StorageFull},
	control.ExitOutgrown:        {Reason: instances.NoNetwork},
}

// exitOf tells how the worker with that pid ended. status is nil for a worker that was
// not our child: then its own note tells.
func exitOf(dir string, pid int, status *os.ProcessState, asked bool) instances.Exit {
	code, noted := control.NotedExit(dir, pid)
	said := printed(dir)
	var exit instances.Exit
	switch {
	case asked:
		return instances.Exit{Asked: true}
	case status != nil && status.Sys().(syscall.WaitStatus).Signaled():
		exit.Reason = instances.WorkerKilled
	case status != nil:
		exit = exitOfCode(control.ExitCode(status.ExitCode()))
		if status.ExitCode() == int(control.ExitUsage) && trace(said) >= 0 {
			exit = instances.Exit{Reason: instances.WorkerCrashed} // 2 is also how Go ends after a panic
		}
	case noted:
		exit = exitOfCode(code)
	case len(said) > 0:
		exit.Reason = instances.WorkerCrashed
	default:
		// A program that neither ended on purpose nor printed a word was killed.
		exit.Reason = instances.WorkerKilled
	}
	if !exit.Asked {
		exit.Lines = lastLines(dir, said)
	}
	return exit
}

func exitOfCode(code control.ExitCode) instances.Exit {
	if code == control.ExitStopped {
		return instances.Exit{Asked: true}
	}
	if exit, ok := meanings[code]; ok {
		return exit
	}
	return instances.Exit{Reason: instances.WorkerCrashed}
}

// limited tells why a worker ended whose control group may have been at a limit.
func limited(reason instances.Reason, group *cgroups.Group) instances.Reason {
	switch {
	case reason == instances.WorkerKilled && group.OverMemory():
		return instances.MemoryLimit
	case reason == instances.WorkerCrashed && group.OverTasks():
		return instances.TasksLimit
	}
	return reason
}
