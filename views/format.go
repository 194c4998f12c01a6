package views

import (
	"strconv"
	"strings"
	"time"

	"switchboard/instances"
	"switchboard/phonenumber"
)

// Phone returns digits in international form as people write them, "+49 1512 3456789". What
// is no possible number comes back with a plus sign and otherwise as it is.
func Phone(digits string) string {
	if digits == "" {
		return ""
	}
	return phonenumber.Format(digits)
}

// phoneOf returns the number of an instance: the paired one, else the one a person gave.
func phoneOf(inst instances.Instance) string {
	if user := userOf(inst.JID); user != "" {
		return Phone(user)
	}
	return Phone(inst.Phone)
}

// userOf returns the part of a JID that names the person, without device.
func userOf(jid string) string {
	user, _, _ := strings.Cut(jid, "@")
	user, _, _ = strings.Cut(user, ":")
	return user
}

// who returns how the other side of a chat is called: a formatted number for a person, the
// bare JID for anything else.
func who(jid string) string {
	user, server, _ := strings.Cut(jid, "@")
	user, _, _ = strings.Cut(user, ":")
	switch server {
	case "s.whatsapp.net":
		return Phone(user)
	case "g.us":
		return "Group " + user
	}
	return jid
}

// ago says how long something is past, coarsely, so that a text stays the same for a while.
func ago(t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case t.IsZero():
		return "never"
	case d < 45*time.Second:
		return "moments ago"
	case d < 2*time.Minute:
		return "a minute ago"
	default:
		return span(d) + " ago"
	}
}

// span says a duration in its largest unit.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "less than a minute"
	case d < time.Hour:
		return plural(int(d/time.Minute), "minute")
	case d < 24*time.Hour:
		return plural(int(d/time.Hour), "hour")
	default:
		return plural(int(d/(24*time.Hour)), "day")
	}
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + one + "s"
}

// stamp is a time for a datetime attribute; the script shows it in the reader's own zone.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// clock and day are what is read where no script runs.
func clock(t time.Time) string { return t.UTC().Format("15:04 UTC") }
func day(t time.Time) string   { return t.UTC().Format("2 January 2006, 15:04 UTC") }

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

func number(n int) string { return strconv.Itoa(n) }

// count says how many of something: "no numbers", "1 number", "12 numbers".
func count(n int, one string) string {
	if n == 0 {
		return "no " + one + "s"
	}
	return plural(n, one)
}

func orText(kind string) string {
	if kind == "" {
		return "text"
	}
	return kind
}

func foundNames(found []instances.Paired) string {
	names := make([]string, len(found))
	for i, p := range found {
		names[i] = Phone(userOf(p.JID))
		if p.PushName != "" {
			names[i] = p.PushName + " (" + names[i] + ")"
		}
	}
	return strings.Join(names, ", ")
}

// proof says what backs the status of a row.
func proof(inst instances.Instance, now time.Time) string {
	switch inst.Status {
	case instances.Connected:
		return "WhatsApp answered " + ago(inst.ProvenAt, now)
	case instances.Idle, instances.Provisioning, instances.Starting, instances.Stopping, instances.Deleting:
		return ""
	}
	return "For " + span(now.Sub(inst.Since))
}

// browser says what a User-Agent header stands for, in words that a person recognises.
func browser(agent string) string {
	name := firstOf(agent, "an unknown browser", [][2]string{
		{"Edg/", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}, {"curl/", "curl"},
	})
	system := firstOf(agent, "", [][2]string{
		{"iPhone", "an iPhone"}, {"iPad", "an iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"Mac OS X", "a Mac"}, {"Linux", "Linux"},
	})
	text := strings.ToUpper(name[:1]) + name[1:]
	if system != "" {
		text += " on " + system
	}
	return text
}

func firstOf(s, otherwise string, words [][2]string) string {
	for _, w := range words {
		if strings.Contains(s, w[0]) {
			return w[1]
		}
	}
	return otherwise
}
