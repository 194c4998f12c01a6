package store

import "database/sql"

// Database returns the handle on the control database and its engine, for whoever moves whole
// tables. It stays the Store's to close.
func (s *Store) Database() (*sql.DB, string) { return s.db.DB, s.engine }
