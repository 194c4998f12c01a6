package views

import (
	"slices"
	"strings"
	"unicode"

	"switchboard/audit"
)

// deeds says what stands behind the actions of the audit log, as one would go on after "tried
// to". An action that is not here is said as the one whose name it begins with.
var deeds = map[string]string{
	"sign-in":             "sign in",
	"sign-in.first-step":  "give the right password, before the second step",
	"sign-in.refused":     "sign in",
	"sign-in.create":      "sign in with a link",
	"sign-out":            "sign out",
	"login.create":        "sign in",
	"login.passkey":       "sign in with a passkey",
	"login.passkey.begin": "begin to sign in with a passkey",
	"login.second":        "show the second step",
	"logout.create":       "sign out",
	"setup.create":        "make the first account",
	"welcome.create":      "accept an invitation",
	"password.change":     "change their own password",
	"password.set":        "set a password",

	"account.password":        "change their own password",
	"account.passkeys":        "add a passkey to their own account",
	"account.passkeys.begin":  "begin to add a passkey",
	"account.passkeys.remove": "remove a passkey from their own account",
	"account.recovery":        "make new recovery codes",
	"account.sessions.revoke": "sign out another browser of their own account",
	"account.tokens":          "make an API token",
	"account.tokens.revoke":   "revoke an API token",
	"account.totp":            "begin to set up codes of an app",
	"account.totp.confirm":    "set up codes of an app as second step",
	"account.totp.remove":     "remove the codes of an app",
	"tokens":                  "look at API tokens",
	"tokens.create":           "make an API token",
	"tokens.delete":           "revoke an API token",
	"tokens.revoke":           "revoke an API token",
	"token.refused":           "come in with an API token that is not good",

	"people.change":          "change a person",
	"people.create":          "invite a person",
	"people.delete":          "remove a person",
	"people.disable":         "switch a person's account off",
	"people.enable":          "switch a person's account on",
	"people.factors.reset":   "remove a person's second step",
	"people.link":            "make a link for a person's new password",
	"people.second-step":     "change who has to show a second step",
	"people.sessions.revoke": "sign out a person's browser",
	"second-step":            "look at who has to show a second step",
	"second-step.change":     "change who has to show a second step",
	"users":                  "look at the people",
	"users.change":           "change a person",
	"users.create":           "invite a person",
	"users.delete":           "remove a person",
	"users.link":             "make a link for a person's new password",
	"groups":                 "look at groups of numbers",
	"groups.change":          "change a group of numbers",
	"groups.create":          "make a group of numbers",
	"groups.delete":          "remove a group of numbers",

	"instances":                         "look at a number",
	"instances.create":                  "make a number",
	"instances.change":                  "change a number",
	"instances.rename":                  "rename a number",
	"instances.delete":                  "delete a number",
	"instances.start":                   "start a number",
	"instances.stop":                    "stop a number",
	"instances.linked":                  "link a phone",
	"instances.restart":                 "restart a number",
	"instances.reconnect":               "connect a number anew",
	"instances.logout":                  "log a number out of WhatsApp",
	"instances.pair":                    "ask for a code to scan",
	"instances.pair-code":               "ask for a code to type on the phone",
	"instances.pair-phone":              "ask for a code to type on the phone",
	"instances.passkey":                 "answer WhatsApp with a passkey",
	"instances.passkey.confirm":         "confirm the code on the phone",
	"instances.messages":                "send a message",
	"instances.queue.cancel":            "take back a message that waited",
	"instances.queue.delete":            "take back a message that waited",
	"instances.backup":                  "download a backup of a number",
	"instances.log.download":            "download the log of a number",
	"instances.settings":                "change the settings of a number",
	"instances.limits":                  "change how much of the server a number may use",
	"instances.limits.change":           "change how much of the server a number may use",
	"instances.settings.change":         "change the settings of a number",
	"instances.api.change":              "use a number's API",
	"instances.api.delete":              "use a number's API",
	"instances.limits.more-room":        "give a number more room on the disk",
	"instances.proxy":                   "change the proxy of a number",
	"instances.proxy.test":              "test the proxy of a number",
	"instances.bucket":                  "change where pictures and files are kept",
	"instances.bucket.check":            "test the place where pictures and files are kept",
	"instances.bucket.forget":           "forget a place where pictures and files were kept",
	"instances.bucket.leave":            "keep pictures and files on this server again",
	"instances.keys":                    "make a key of a number's API",
	"instances.keys.delete":             "revoke a key of a number's API",
	"instances.keys.revoke":             "revoke a key of a number's API",
	"instances.api":                     "use a number's API",
	"instances.deliveries.resend":       "send events to webhooks again",
	"instances.webhooks":                "add a webhook",
	"instances.webhooks.change":         "change a webhook",
	"instances.webhooks.delete":         "delete a webhook",
	"instances.webhooks.pause":          "pause a webhook",
	"instances.webhooks.resume":         "resume a webhook",
	"instances.webhooks.retry":          "try a webhook again at once",
	"instances.webhooks.reveal":         "look at the secret of a webhook",
	"instances.webhooks.rotate":         "make a new secret for a webhook",
	"instances.webhooks.test":           "send a test event to a webhook",
	"webhooks":                          "look at webhooks for all numbers",
	"webhooks.create":                   "add a webhook for all numbers",
	"webhooks.change":                   "change a webhook for all numbers",
	"webhooks.delete":                   "delete a webhook for all numbers",
	"webhooks.pause":                    "pause a webhook for all numbers",
	"webhooks.resume":                   "resume a webhook for all numbers",
	"webhooks.reveal":                   "look at the secret of a webhook for all numbers",
	"webhooks.rotate":                   "make a new secret for a webhook for all numbers",
	"import.create":                     "take over numbers of another program",
	"system.restore":                    "restore a number from a backup",
	"system.deleted.restore":            "bring back a deleted number",
	"system.deleted.forget":             "remove the last backup of a deleted number",
	"key.rotate":                        "replace the secret key of this installation",
	"audit":                             "look at the audit log",
	"audit.export":                      "download the audit log",
	"audit.pruned":                      "remove entries of this log for their age",
	"audit.truncated":                   "add to this log, and found that its end is missing",
	"audit.key-replaced":                "begin this log with a new key",
	"number":                            "use a number's API",
	"number.app.login":                  "ask for a code to scan",
	"number.app.login-with-code":        "ask for a code to type on the phone",
	"number.app.passkey":                "use the passkey of a number",
	"number.app.reconnect":              "connect a number anew",
	"number.app.logout":                 "log a number out of WhatsApp",
	"number.devices":                    "make, connect, change or delete a number",
	"number.send":                       "send a message",
	"number.message":                    "change a message",
	"number.message.vote":               "vote in a poll",
	"number.chat":                       "change a chat",
	"number.chat.mute":                  "mute a chat, or no more",
	"number.chat.unread":                "mark a chat as read or unread",
	"number.user.lookup":                "look at people on WhatsApp",
	"number.call":                       "turn down a call",
	"number.queue":                      "take back a message that waited",
	"number.user":                       "look at people on WhatsApp",
	"number.user.blocked":               "block a person on WhatsApp, or no more",
	"number.user.avatar":                "change the number's picture",
	"number.user.pushname":              "change the number's name",
	"number.user.about":                 "change what the number says about itself",
	"number.group":                      "make or look at a WhatsApp group",
	"number.group.join-with-link":       "join a WhatsApp group",
	"number.group.leave":                "leave a WhatsApp group",
	"number.group.participants":         "change who is in a WhatsApp group",
	"number.group.participant-requests": "answer who asks to join a WhatsApp group",
	"number.group.photo":                "change the picture of a WhatsApp group",
	"number.group.name":                 "rename a WhatsApp group",
	"number.group.topic":                "change the description of a WhatsApp group",
	"number.group.locked":               "change who may change a WhatsApp group",
	"number.group.announce":             "change who may write in a WhatsApp group",
	"number.group.invite-link":          "replace the invitation of a WhatsApp group",
	"number.community":                  "make a WhatsApp community",
	"number.community.groups":           "change the groups of a WhatsApp community",
	"number.newsletter":                 "make a WhatsApp channel",
	"number.newsletter.follow":          "follow a WhatsApp channel",
	"number.newsletter.unfollow":        "follow a WhatsApp channel no more",
	"number.newsletter.mute":            "mute a WhatsApp channel, or no more",
}

// deed finds what stands behind an action, false where the table has nothing near it. The
// number's own API has three addresses, and is one thing.
func deed(action string) (string, bool) {
	for {
		for _, prefix := range []string{"", "instances.", "gowa."} {
			if rest, ok := strings.CutPrefix(action, prefix); ok {
				if prefix != "" {
					rest = "number." + rest
				}
				if d, ok := deeds[rest]; ok {
					return d, true
				}
			}
		}
		cut := strings.LastIndexByte(action, '.')
		if cut < 0 {
			return "", false
		}
		action = action[:cut]
	}
}

// Did says in a few words what an entry of the audit log tells, "Stopped a number" or "Tried
// to stop a number", and false for an action that it has no words for.
func Did(e audit.Entry) (string, bool) {
	d, known := deed(e.Action)
	switch {
	case !known:
		return e.Action, false
	case e.Result != audit.OK:
		return "Tried to " + d, true
	}
	verb, rest, _ := strings.Cut(d, " ")
	words := []rune(strings.TrimSpace(past(verb) + " " + rest))
	words[0] = unicode.ToUpper(words[0])
	return string(words), true
}

var irregular = map[string]string{
	"begin": "began", "bring": "brought", "come": "came", "forget": "forgot", "give": "gave", "keep": "kept", "leave": "left", "log": "logged",
	"make": "made", "send": "sent", "set": "set", "stop": "stopped", "take": "took", "try": "tried",
}

func past(verb string) string {
	if word := irregular[verb]; word != "" {
		return word
	}
	return strings.TrimSuffix(verb, "e") + "ed"
}

// ActionsOf returns the actions whose words hold text, as people search for what they read.
func ActionsOf(text string) []string {
	var found []string
	for action := range deeds {
		tried, _ := Did(audit.Entry{Action: action})
		done, _ := Did(audit.Entry{Action: action, Result: audit.OK})
		if !strings.Contains(strings.ToLower(tried+"\n"+done), strings.ToLower(text)) {
			continue
		}
		found = append(found, action)
		if rest, ok := strings.CutPrefix(action, "number."); ok {
			found = append(found, "instances."+rest, "gowa."+rest)
		}
	}
	slices.Sort(found)
	return found
}

// outcome says how it ended, and what is known about why not.
func outcome(e audit.Entry) string {
	switch {
	case e.Result == audit.OK:
		return "Done"
	case e.Detail == "status 404":
		return "There was no such thing"
	case e.Detail == "status 429":
		return "Refused for a while, after too many tries"
	case e.Result == audit.Refused:
		return "Refused"
	}
	return "Did not work"
}

// means says how somebody did something.
func means(via string) string {
	if id, ok := strings.CutPrefix(via, "token "); ok {
		return "by a program, API token " + id
	}
	switch via {
	case "panel":
		return "" // as people do
	case "command":
		return "with a command on the server"
	case "phone":
		return "on the phone"
	}
	return via
}

// target says what something was done to, with names for ids that are known.
func (a Audit) target(e audit.Entry) string {
	words := strings.Fields(e.Target)
	for i, w := range words {
		if name := a.Targets[w]; name != "" {
			words[i] = name
		}
	}
	return strings.Join(words, " ")
}
