package control

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// ExitName is the file in an instance's folder in which NoteExit leaves the exit code.
const ExitName = "exit.json"

type exitNote struct {
	PID  int      `json:"pid"`
	Code ExitCode `json:"code"`
}

// NoteExit leaves code in the instance's folder for a panel that is not the worker's
// parent and so cannot learn the exit code. A worker calls it last, before it ends on
// purpose.
func NoteExit(dir string, code ExitCode) error {
	text, err := json.Marshal(exitNote{os.Getpid(), code})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, ExitName), text, 0o600)
}

// NotedExit returns the code that the worker with that pid left in dir, if it did.
func NotedExit(dir string, pid int) (ExitCode, bool) {
	text, err := os.ReadFile(filepath.Join(dir, ExitName))
	if err != nil {
		return 0, false
	}
	var note exitNote
	if err := json.Unmarshal(text, &note); err != nil || note.PID != pid {
		return 0, false
	}
	return note.Code, true
}
