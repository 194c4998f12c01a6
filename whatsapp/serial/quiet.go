package serial

import "go.mau.fi/libsignal/logger"

// libsignal makes its logger at the first message, without a lock, and it writes to the
// standard output. It gets a silent one before anything runs: what matters of its errors
// comes back to the caller.
func init() {
	var silent logger.Loggable = silence{}
	logger.Setup(&silent)
}

type silence struct{}

func (silence) Debug(string, string)   {}
func (silence) Info(string, string)    {}
func (silence) Warning(string, string) {}
func (silence) Error(string, string)   {}
func (silence) Configure(string)       {}
