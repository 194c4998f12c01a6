package instances

import (
	"context"
	"errors"
	"time"

	"switchboard/fault"
)

// Create stores a new number that is wished to run, and returns. Its databases are made and
// its worker is started behind that; killed in between, the next Open goes on. A name in
// use is a fault.Conflict with Field "name". A RequestID that was used before returns what
// it made then.
func (s *Supervisor) Create(ctx context.Context, v Viewer, in New) (Instance, error) {
	name, badName := CheckName(in.Name)
	phone, badPhone := in.Phone, error(nil)
	if phone != "" {
		phone, badPhone = CheckPhone(phone)
	}
	if err := errors.Join(badName, badPhone); err != nil {
		return Instance{}, err
	}
	return s.add(ctx, v, Instance{Name: name, Phone: phone}, in.RequestID)
}

// add completes inst, stores it and sets its runner going.
func (s *Supervisor) add(ctx context.Context, v Viewer, inst Instance, requestID string) (Instance, error) {
	if v.Only != nil {
		return Instance{}, fault.New(fault.Forbidden, "This token is limited to certain numbers and cannot make others.")
	}
	s.adding.Lock()
	defer s.adding.Unlock()
	s.mu.RLock()
	state, used := s.state, map[int]bool{}
	for _, r := range s.runners {
		used[r.snapshot().Port] = true
	}
	s.mu.RUnlock()
	if state != opened {
		return Instance{}, shuttingDown()
	}

	now := time.Now().UTC().Truncate(time.Millisecond)
	inst.ID = newID(inst.Name, now, func(id ID) bool { return s.known[id] })
	inst.Owner, inst.CreatedAt, inst.Since = v.User, now, now
	inst.Desired, inst.Status = Running, Provisioning
	inst.Database = s.o.Databases.Names(inst.ID)
	for {
		var err error
		if inst.Port, err = freePort(s.o.PortStart, used, s.o.PortFree); err != nil {
			return Instance{}, err
		}
		id, err := s.o.Store.AddInstance(ctx, inst, requestID)
		if err == nil && id != inst.ID {
			return s.Get(v, id)
		}
		if err == nil {
			break
		}
		if fault.KindOf(err) != fault.Conflict || fault.FieldOf(err) != "port" {
			return Instance{}, err
		}
		used[inst.Port] = true // a record that this process does not know has it
	}

	r := newRunner(s, inst)
	r.announced = Instance{}
	s.mu.Lock()
	s.runners[inst.ID], s.known[inst.ID] = r, true
	s.mu.Unlock()
	go r.run()
	return inst, nil
}
