// Package settingstest keeps settings in memory, for tests of what works on them.
package settingstest

import (
	"context"
	"encoding/json"
	"sync"

	"switchboard/instances"
	"switchboard/settings"
)

// Memory is what settings.Keeper is to the panel. Its zero value has no settings. It is safe
// for concurrent use.
type Memory struct {
	mu   sync.Mutex
	kept map[instances.ID]settings.Settings
}

// Get returns the settings of a number.
func (m *Memory) Get(_ context.Context, id instances.ID) (settings.Settings, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept[id], nil
}

// Update changes the settings of a number, unless change refuses.
func (m *Memory) Update(_ context.Context, id instances.ID, change func(*settings.Settings) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.kept[id]
	if err := change(&s); err != nil {
		return err
	}
	s.Revision++
	if m.kept == nil {
		m.kept = map[instances.ID]settings.Settings{}
	}
	m.kept[id] = s
	return nil
}

// Document is what the worker of a number is given.
func (m *Memory) Document(_ context.Context, id instances.ID) (json.RawMessage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return json.Marshal(m.kept[id])
}
