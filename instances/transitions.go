package instances

// OfWorker reports whether s is one that a worker may report about itself.
func (s Status) OfWorker() bool {
	switch s {
	case Starting, PairingPhone, PasskeyRequired, Connected, Reconnecting, LoggedOut, Restricted, Outdated, Replaced:
		return true
	}
	return false
}

// Settled reports whether nothing goes on by itself and nothing is waited for, so that a
// page may stop asking every two seconds.
func (s Status) Settled() bool {
	switch s {
	case Idle, Connected, LoggedOut, Restricted, Outdated, Replaced, Failed:
		return true
	}
	return false
}
