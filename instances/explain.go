package instances

import "cmp"

// Explanation is what a person reads about a number: in which state it is, why, and what
// to do next.
type Explanation struct {
	Label    string // one or two words, for a badge
	Sentence string // one to three plain sentences: what is the case, why, and what follows
	Tone     Tone
	Next     []Action // most useful first, never empty
}

// Tone says how a state feels, so that every page colours it alike.
type Tone string

// The tones.
const (
	Good    Tone = "good"    // it works
	Busy    Tone = "busy"    // something is going on by itself
	Waiting Tone = "waiting" // a person is needed, and nothing is wrong
	Warning Tone = "warning" // something is wrong and may heal by itself
	Bad     Tone = "bad"     // something is wrong and a person has to act
	Quiet   Tone = "quiet"   // nothing happens, as wished
)

// Action is a next step that can be put on a button.
type Action struct {
	Do    Deed
	Label string
}

// Deed names what an Action does. All but Open and Leave are commands of the Supervisor.
type Deed string

// The deeds.
const (
	DoStart     Deed = "start"
	DoStop      Deed = "stop"
	DoRestart   Deed = "restart"
	DoReconnect Deed = "reconnect"
	DoPair      Deed = "pair"
	DoDelete    Deed = "delete"
	Open        Deed = "open"  // go to the number's page, where the step itself is
	Leave       Deed = "leave" // nothing is left to do here: back to all numbers
)

// story is how one status reads.
type story struct {
	label string
	tone  Tone
	alone string // the sentence without a reason
	after string // the sentence that follows a reason's cause
	next  []Action
}

var stories = map[Status]story{
	Provisioning: {"Being set up", Busy,
		"Two databases of its own are being made for this number. That takes about a second.",
		"Its databases are being made once more.",
		[]Action{{Leave, "Back to all numbers"}}},
	Idle: {"Stopped", Quiet,
		"This number is switched off. It receives and sends nothing until it is started; its pairing and its messages are kept.",
		"It is switched off now, and receives and sends nothing until it is started.",
		[]Action{{DoStart, "Start"}}},
	Starting: {"Starting", Busy,
		"The number is starting. This usually takes a second or two.",
		"It is being started again. This usually takes a second or two.",
		[]Action{{DoStop, "Stop"}}},
	PairingPhone: {"Waiting for the phone", Waiting,
		"Scan the code with the phone that has this number, and it is connected.",
		"Scan the code with the phone that has this number.",
		[]Action{{Open, "Scan the code"}}},
	PasskeyRequired: {"Passkey needed", Waiting,
		"WhatsApp asks for the passkey of this account before it lets Switchboard in. That takes three steps and a minute.",
		"WhatsApp still asks for the passkey of this account.",
		[]Action{{Open, "Confirm with the passkey"}, {DoPair, "Start over"}}},
	Connected: {"Connected", Good,
		"This number receives and sends messages.",
		"The number itself is connected, and answers in open conversations come and go.",
		[]Action{{Open, "Send a test message"}}},
	Reconnecting: {"Reconnecting", Warning,
		"The connection to WhatsApp is being made again. Nothing has to be done on the phone.",
		"Switchboard keeps trying by itself; nothing has to be done on the phone.",
		[]Action{{DoReconnect, "Try now"}}},
	LoggedOut: {"Logged out", Bad,
		"This number is no longer linked to its phone. Its messages are kept; pair it again to go on.",
		"Its messages are kept; pair it again to go on.",
		[]Action{{DoPair, "Pair again"}}},
	Restricted: {"Restricted", Bad,
		"WhatsApp limits what this account may do at the moment. Open WhatsApp on the phone to read why.",
		"Open WhatsApp on the phone to read why, and send nothing in bulk until it is over.",
		[]Action{{DoReconnect, "Check again"}}},
	Outdated: {"Update needed", Bad,
		"WhatsApp no longer accepts this version of Switchboard. Update Switchboard, then start the number again; it stays paired.",
		"WhatsApp no longer accepts this version of Switchboard. Update Switchboard, then start the number again; it stays paired.",
		[]Action{{DoRestart, "Try again after the update"}}},
	Replaced: {"Taken over", Bad,
		"Another program has opened this number's session, and Switchboard let go rather than fight over it. Close the other program, then take the number back.",
		"Another program has opened this number's session. Close it, then take the number back.",
		[]Action{{DoReconnect, "Take it back"}}},
	Backoff: {"Trying again soon", Warning,
		"The number stopped unexpectedly. It is started again by itself.",
		"It is started again by itself; other numbers are not affected.",
		[]Action{{DoRestart, "Try now"}}},
	Failed: {"Needs attention", Bad,
		"The number stopped and could not be started again.",
		"It stays off until somebody looks at it.",
		[]Action{{DoStart, "Try again"}}},
	Stopping: {"Stopping", Busy,
		"The number finishes what it is doing and stops. This takes a few seconds at most.",
		"The number stops. This takes a few seconds at most.",
		[]Action{{Leave, "Back to all numbers"}}},
	Deleting: {"Being deleted", Busy,
		"The number, its two databases and its files are being removed. This takes a few seconds, or minutes where a last backup of many pictures and files is made.",
		"The number, its two databases and its files are being removed.",
		[]Action{{Leave, "Back to all numbers"}}},
}

// causes holds the first sentence about a status that has a reason.
var causes = map[Reason]string{
	QRExpired:        "Every code of this round ran out before a phone scanned one.",
	PairingRejected:  "WhatsApp or the phone refused the pairing. A phone can have four linked devices: remove one under Linked devices if all four are taken.",
	WorkerCrashed:    "The number's process ended unexpectedly.",
	WorkerKilled:     "The number's process was ended from outside.",
	CrashLoop:        "The number's process ended again and again, so Switchboard stopped starting it.",
	WorkerSilent:     "The number's process ran but no longer answered.",
	DatabaseRefused:  "The number's databases cannot be opened. Check that the disk or the database server is reachable.",
	DatabaseDamaged:  "The number's database is damaged. Nothing more has been written to it; restore it from a backup.",
	DatabaseNewer:    "The number's databases were written by a newer version of Switchboard. Update Switchboard to go on.",
	LockedByAnother:  "This number already runs in another Switchboard. Stop it there first.",
	PortTaken:        "The number's port is used by another program. Close that program, then try again.",
	MemoryLimit:      "The number's process used more memory than one number may, and was ended.",
	FilesLimit:       "The number's process had more files and connections open than one number may, and was ended.",
	TasksLimit:       "The number's process had more programs and threads than one number may, and ended.",
	DiskLimit:        "The number's folder is larger than one number may have.",
	StartRefused:     "The operating system refused to start the number's process.",
	ProvisionFailed:  "The number's databases could not be made. Check that the disk has room and that the database server is reachable.",
	DeleteFailed:     "Not everything of this number could be removed. Deleting it again goes on where it stopped.",
	NothingKept:      "No last backup of the number is made.",
	Unfinished:       "This number was restored or moved here only in part.",
	HalfMoved:        "This number was moved here only in part. It is unharmed where it came from; start Switchboard there and move it once more.",
	NoNetwork:        "WhatsApp's servers cannot be reached from here.",
	NoProof:          "WhatsApp gave no sign of life for a minute, although the connection looked open.",
	ConnectionLost:   "The connection to WhatsApp was lost.",
	ServerBusy:       "WhatsApp is busy and asked to come back a little later.",
	LoggedOutByPhone: "The phone removed Switchboard from its linked devices.",
	LoggedOutByUser:  "This number was logged out here.",
	AccountBlocked:   "WhatsApp locked or banned this account and ended the link. Open WhatsApp on the phone to read why.",
	TemporaryBan:     "WhatsApp has banned this account for a while.",
	ReachOutLimit:    "WhatsApp refuses new conversations from this number for a while.",
	ConnectFailure:   "WhatsApp refused to let this number in.",
	DatabaseAway:     "The database server does not answer at the moment.",
	StorageFull:      "There is no room left on the disk.",
	StorageReadOnly:  "The disk or the database server takes no changes at the moment.",
}

// special is what a status with one of its reasons says differently from the status's own
// story; empty members keep that.
type special struct {
	label string
	tone  Tone
	after string
	next  []Action
}

var (
	codesOver = special{after: "Ask for a new code when the phone is at hand.", next: []Action{{DoPair, "Show a new code"}}}
	codeLater = special{label: "No code yet", after: "The code appears as soon as it is back; Switchboard keeps trying by itself."}
	codeAgain = special{after: "It runs again: scan the code with the phone that has this number."}
	specials  = map[Status]map[Reason]special{
		PairingPhone: {
			QRExpired:       codesOver.called("Codes ran out"),
			PairingRejected: codesOver.called("Pairing refused"),
			NoNetwork:       {label: "No code yet", after: "Check this machine's connection to the internet, or the number's proxy if it has one. The code appears as soon as WhatsApp answers."},
			ConnectionLost:  codeLater, ServerBusy: codeLater, NoProof: codeLater, ConnectFailure: codeLater,
			WorkerCrashed: codeAgain, WorkerKilled: codeAgain, WorkerSilent: codeAgain,
		},
		Connected: {
			ReachOutLimit: {label: "Connected, no new chats", tone: Warning},
			DatabaseAway: {label: "Connected, database away", tone: Warning,
				after: "The number itself is connected. Messages that arrive are not confirmed to WhatsApp until they are stored, so none is lost. It goes on by itself as soon as the database is back.",
				next:  []Action{{Open, "Look at the number"}}},
			StorageFull: {label: "Connected, disk full", tone: Warning,
				after: "Make room on the disk where Switchboard or the database server keeps its data. Messages that arrive are not confirmed to WhatsApp until they are stored, so none is lost; nothing can be sent meanwhile. It goes on by itself as soon as there is room.",
				next:  []Action{{Open, "Look at the number"}}},
			StorageReadOnly: {label: "Connected, nothing can be stored", tone: Bad,
				after: "See why: the disk may be broken or mounted for reading alone, or the database server may be a standby. Messages that arrive are not confirmed to WhatsApp until they are stored, so none is lost. It goes on by itself once they can be; where the disk had to be mounted again, restart the number.",
				next:  []Action{{DoRestart, "Restart it when that is done"}}},
		},
		Reconnecting: {NoNetwork: {after: "Switchboard keeps trying by itself. If it lasts, check this machine's connection to the internet, or the number's proxy if it has one."}},
		LoggedOut: {AccountBlocked: {label: "Blocked by WhatsApp",
			after: "Its messages here are kept. Once WhatsApp lets the account in again, pair it again."}},
		Restricted: {TemporaryBan: {label: "Banned for a while"}, ReachOutLimit: {label: "No new chats"}},
		Backoff: {DiskLimit: {label: "Folder full", tone: Bad,
			after: "Have it given more room, and say in its settings how long messages and pictures are kept, so that it does not fill up again. As soon as there is room it starts by itself; until then WhatsApp keeps what arrives, for some weeks."},
			StorageFull: {label: "Disk full", tone: Bad,
				after: "Make room on the disk where Switchboard keeps its data. Then the number starts by itself; until then WhatsApp keeps what arrives, for some weeks."}},
		Failed: {
			ProvisionFailed: {label: "Could not be set up", next: []Action{{DoStart, "Try again"}, {DoDelete, "Delete"}}},
			DeleteFailed:    {label: "Could not be deleted", next: []Action{{DoDelete, "Delete again"}}},
			HalfMoved:       {label: "Could not be deleted", next: []Action{{DoDelete, "Delete again"}}},
		},
	}
)

func (s special) called(label string) special {
	s.label = label
	return s
}

// Explain says in plain words what a status with its reason means and what to do next. It
// is total: a status or reason it does not know still gets a sentence and a step.
func Explain(status Status, reason Reason) Explanation {
	s, known := stories[status]
	if !known {
		s = story{string(status), Warning,
			"The number is in a state that this page does not know; it may come from a newer version.",
			"The number is in a state that this page does not know; it may come from a newer version.",
			[]Action{{Leave, "Back to all numbers"}}}
	}
	e := Explanation{Label: s.label, Sentence: s.alone, Tone: s.tone, Next: s.next}
	own := specials[status][reason]
	if cause := causes[reason]; cause != "" {
		e.Sentence = cause + " " + cmp.Or(own.after, s.after)
	}
	e.Label, e.Tone = cmp.Or(own.label, e.Label), cmp.Or(own.tone, e.Tone)
	if own.next != nil {
		e.Next = own.next
	}
	return e
}

// Cause is what a reason means, in one or two sentences; "" for one that it does not know.
func Cause(reason Reason) string { return causes[reason] }
