package instances

// Desired is the owner's wish. It changes only by a person's or a program's command.
type Desired string

// The two wishes.
const (
	Running Desired = "running"
	Stopped Desired = "stopped"
)

// Status is the fact.
type Status string

// Every status. The list is a contract: it is stored, served and documented.
const (
	Provisioning    Status = "provisioning"     // its databases are being made
	Idle            Status = "stopped"          // no worker runs
	Starting        Status = "starting"         // a worker runs and has not said more
	PairingPhone    Status = "pairing"          // waits for a person with the phone
	PasskeyRequired Status = "passkey_required" // WhatsApp asks for the account's passkey
	Connected       Status = "connected"        // proven within the last 60 s
	Reconnecting    Status = "reconnecting"     // paired, not connected, trying
	LoggedOut       Status = "logged_out"       // was paired, has to be paired again
	Restricted      Status = "restricted"       // WhatsApp limits or bans the account
	Outdated        Status = "outdated"         // WhatsApp asks for a newer client
	Replaced        Status = "replaced"         // another client took the session
	Backoff         Status = "backoff"          // the worker ended; next try at RetryAt
	Failed          Status = "failed"           // needs a person
	Stopping        Status = "stopping"
	Deleting        Status = "deleting"
)

// Statuses are all that there are.
var Statuses = [...]Status{
	Provisioning, Idle, Starting, PairingPhone, PasskeyRequired, Connected, Reconnecting, LoggedOut, Restricted, Outdated,
	Replaced, Backoff, Failed, Stopping, Deleting,
}

// Reason is the machine-readable why of a status; "" where the status says it all.
type Reason string

// KeepsNothing tells whether no last backup is made of a number that is deleted for that reason.
func (r Reason) KeepsNothing() bool { return r == NothingKept || r == Unfinished || r == HalfMoved }

// The reasons. Programs rely on the words.
const (
	QRExpired        Reason = "qr_expired"        // pairing: the last code of a round ran out
	PairingRejected  Reason = "pairing_rejected"  // pairing: WhatsApp or the phone refused; see the log
	WorkerCrashed    Reason = "worker_crashed"    // the process ended without being asked
	WorkerKilled     Reason = "worker_killed"     // … by a signal
	CrashLoop        Reason = "crash_loop"        // … too often
	WorkerSilent     Reason = "worker_silent"     // the process runs and does not answer
	DatabaseRefused  Reason = "database_refused"  // its databases cannot be opened
	DatabaseDamaged  Reason = "database_damaged"  // … integrity check failed
	DatabaseNewer    Reason = "database_newer"    // … schema of a newer version
	LockedByAnother  Reason = "locked_by_another" // a second worker holds the number
	PortTaken        Reason = "port_taken"        // its port is in use by another program
	MemoryLimit      Reason = "memory_limit"      // the process used more memory than it may, and was ended
	FilesLimit       Reason = "files_limit"       // … files and connections
	TasksLimit       Reason = "tasks_limit"       // … programs and threads
	DiskLimit        Reason = "disk_limit"        // its folder is larger than it may be
	StartRefused     Reason = "start_refused"     // the process could not be started
	ProvisionFailed  Reason = "provision_failed"  // its databases could not be made; start tries again
	DeleteFailed     Reason = "delete_failed"     // deletion stuck; delete tries again
	NothingKept      Reason = "nothing_kept"      // deletion without a last backup
	Unfinished       Reason = "unfinished"        // … of what was restored or moved only in part
	HalfMoved        Reason = "half_moved"        // … the same, and its folder stays: it is that of where it came from
	NoNetwork        Reason = "no_network"        // WhatsApp's servers cannot be reached
	NoProof          Reason = "no_proof"          // no sign of life for 60 s
	ConnectionLost   Reason = "connection_lost"   // the socket closed
	ServerBusy       Reason = "server_busy"       // WhatsApp asked to come back later
	LoggedOutByPhone Reason = "logged_out_by_phone"
	LoggedOutByUser  Reason = "logged_out_by_user"
	AccountBlocked   Reason = "account_blocked" // WhatsApp locked or banned the account and ended the link
	TemporaryBan     Reason = "temporary_ban"
	ReachOutLimit    Reason = "reach_out_limit"   // 463: new chats are refused for a while
	ConnectFailure   Reason = "connect_failure"   // WhatsApp refused the login for another reason
	DatabaseAway     Reason = "database_away"     // the database server is away: what arrives waits
	StorageReadOnly  Reason = "storage_read_only" // the databases can only be read: what arrives waits
	StorageFull      Reason = "storage_full"      // the disk is full: what arrives waits
)
