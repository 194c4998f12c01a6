package messages

// ByID are the statements that look a message up by its id alone.
var ByID = []string{newest(anywhere), sentTo}

// EarlyChanges is the statement that looks for what came before its message.
const EarlyChanges = earlyChanges
