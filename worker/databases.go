package worker

import (
	"sync"

	"switchboard/isolation"
)

// outage knows whether the database server is away, from what is told about each of the
// number's databases.
type outage struct {
	mu     sync.Mutex
	away   map[string]bool
	listen func(away bool) // nil until somebody listens
}

// of returns an opener for a database that tells the outage about it.
func (o *outage) of(database string) isolation.Opener {
	return isolation.Opener{Away: func(away bool) {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.away == nil {
			o.away = map[string]bool{}
		}
		if away {
			o.away[database] = true
		} else {
			delete(o.away, database)
		}
		o.tell()
	}}
}

// toward has listen called from now on, which must not block.
func (o *outage) toward(listen func(away bool)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.listen = listen
	o.tell()
}

func (o *outage) tell() {
	if o.listen != nil {
		o.listen(len(o.away) > 0)
	}
}
