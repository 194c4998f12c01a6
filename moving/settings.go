package moving

import (
	"context"
	"encoding/json"
	"fmt"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/settings"
)

// SharedSettings returns what is set for all numbers, for the header of a whole backup; nil if
// nothing is.
func (in Installation) SharedSettings(ctx context.Context) (json.RawMessage, error) {
	return in.document(ctx, settings.Shared)
}

// document returns the settings of a number as they travel in a backup: decrypted, since the
// backup is encrypted itself, and the secret key stays where it is.
func (in Installation) document(ctx context.Context, id instances.ID) (json.RawMessage, error) {
	s, err := in.Settings.Get(ctx, id)
	if err != nil || s.Revision == 0 {
		return nil, err
	}
	return json.Marshal(s)
}

// set encrypts settings that came in a backup with the key of this installation, and puts them
// in the place of what there is.
func (in Installation) set(ctx context.Context, id instances.ID, document json.RawMessage) error {
	s, err := settingsIn(document)
	if err != nil {
		return err
	}
	return in.Settings.Replace(ctx, id, s)
}

// settingsIn reads settings that came in a backup.
func settingsIn(document json.RawMessage) (s settings.Settings, err error) {
	if len(document) > 0 {
		if err := json.Unmarshal(document, &s); err != nil {
			return s, fault.Wrap(fault.Invalid, "This backup holds settings that cannot be read.", fmt.Errorf("settings in a backup: %w", err))
		}
	}
	return s, nil
}
