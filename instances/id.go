package instances

// ID names an instance for ever: a slug of its first name, an underscore, the UTC creation
// time, "business_01_20240101120000". Lower-case ASCII letters, digits and underscores, at
// most 48 bytes, so that "whatsapp_" + ID fits PostgreSQL's 63-byte identifiers.
type ID string
