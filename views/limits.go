package views

import (
	"strconv"

	"switchboard/instances"
	"switchboard/resources"
)

// Limits is the page that says how much of the server a number may use.
type Limits struct {
	Instance instances.Instance
	Form     Form
	All      instances.Limits // of numbers that have none of their own
	Groups   bool             // whether anything limits processors
	Folder   int64            // bytes in its folder
	Now      resources.Usage  // of its process
	Runs     bool             // whether there is one
}

// LimitFields are the names of the fields in which a person limits a number.
var LimitFields = []string{"memory_bytes", "cpu_percent", "open_files", "log_bytes", "disk_bytes"}

// LimitValues fills these fields with what is set for the number alone.
func LimitValues(l instances.Limits) map[string]string {
	return map[string]string{
		"memory_bytes": orEmpty(l.Memory >> 20), "cpu_percent": orEmpty(l.CPU), "open_files": orEmpty(l.OpenFiles),
		"log_bytes": orEmpty(l.Log >> 20), "disk_bytes": orEmpty(l.Disk >> 20),
	}
}

// ofAll is what an empty field stands for.
func ofAll(n int64) string {
	if n == 0 {
		return "No limit"
	}
	return strconv.FormatInt(n, 10)
}

func (l Limits) memoryHint() string {
	return l.now("It uses "+megabytes(l.Now.OwnBytes)+" now. ") + "With more than this it is started again, alone, and nothing is lost."
}

func (l Limits) cpuHint() string {
	text := "100 is one whole processor. A number that wants more works more slowly."
	if !l.Groups {
		text += " This server does not let Switchboard limit it yet, so it has no effect; “switchboard doctor” tells whoever runs the server why."
	}
	return text
}

func (l Limits) filesHint() string {
	text := l.now("It has "+strconv.Itoa(l.Now.OpenFiles)+" open now. ") + "With nine tenths of this many it is started again, alone, and nothing is lost."
	if own, err := strconv.ParseInt(l.Form.Values["open_files"], 10, 64); err == nil && l.Instance.Limits.OpenFiles != 0 && l.Instance.Limits.OpenFiles < own {
		text += " The server allows no more than " + strconv.FormatInt(l.Instance.Limits.OpenFiles, 10) + ", which is what holds now."
	}
	return text
}

func (l Limits) diskHint() string {
	what := "messages, pictures and files, and the log"
	if l.Instance.Database.Engine == "postgres" {
		what = "pictures and files, and the log; messages are with the database server"
	}
	return "It has " + megabytes(l.Folder) + " now: " + what + ". Pictures and files get three quarters of the limit; those without room wait at WhatsApp until there is some. At the limit itself the number stops until somebody makes room or enters more here. WhatsApp keeps what arrives meanwhile, for some weeks."
}

func (l Limits) now(text string) string {
	if !l.Runs {
		return ""
	}
	return text
}

// megabytes is a size as the fields of the page have it.
func megabytes(n int64) string {
	if n > 0 && n < 1<<20 {
		return "less than 1 MB"
	}
	return strconv.FormatInt(n>>20, 10) + " MB"
}

// limiting says whether a number ended, or had to be started again, because it was at a limit
// that can be set.
func limiting(r instances.Reason) bool {
	return r == instances.MemoryLimit || r == instances.FilesLimit || r == instances.DiskLimit
}

// wantsRoom tells whether a number waits for room in its folder, as which it also counts while it tries to start.
func wantsRoom(inst instances.Instance) bool {
	return inst.Reason == instances.DiskLimit && (inst.Status == instances.Backoff || inst.Status == instances.Starting)
}
