package instances

import "slices"

// next is the one table of what may follow what. docs/states.md draws it.
var next = map[Status][]Status{
	Provisioning: {Starting, Idle, Failed, Deleting},
	Idle:         {Starting, Stopping, Deleting}, // stopping: a worker was found that should not run
	Starting:     runs(Starting),
	Backoff:      {Starting, Idle, Deleting},
	Failed:       {Provisioning, Starting, Idle, Deleting},
	Stopping:     {Starting, Idle, Backoff, Failed, Deleting},
	Deleting:     {Failed},

	PairingPhone:    runs(PairingPhone),
	PasskeyRequired: runs(PasskeyRequired),
	Connected:       runs(Connected),
	Reconnecting:    runs(Reconnecting),
	LoggedOut:       runs(LoggedOut),
	Restricted:      runs(Restricted),
	Outdated:        runs(Outdated),
	Replaced:        runs(Replaced),
}

// ofWorker are the statuses that a worker tells about itself. Reports may be skipped, so
// any of them may follow any other.
var ofWorker = []Status{Starting, PairingPhone, PasskeyRequired, Connected, Reconnecting, LoggedOut, Restricted, Outdated, Replaced}

// runs returns what may follow a status in which a worker runs.
func runs(s Status) []Status {
	var others []Status
	for _, o := range ofWorker {
		if o != s {
			others = append(others, o)
		}
	}
	return append(others, Stopping, Backoff, Failed, Deleting)
}

// may reports whether to may follow from.
func may(from, to Status) bool { return slices.Contains(next[from], to) }

// OfWorker reports whether s is one that a worker may report about itself.
func (s Status) OfWorker() bool { return slices.Contains(ofWorker, s) }

// Settled reports whether nothing goes on by itself and nothing is waited for, so that a
// page may stop asking every two seconds.
func (s Status) Settled() bool {
	switch s {
	case Idle, Connected, LoggedOut, Restricted, Outdated, Replaced, Failed:
		return true
	}
	return false
}
