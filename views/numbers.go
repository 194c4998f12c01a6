package views

import (
	"net/url"
	"strconv"
	"strings"

	"switchboard/instances"
)

// Numbers is the list page.
type Numbers struct {
	All    []instances.Instance // every number the person sees
	Query  string
	Show   string // "", "connected", "attention", "stopped"
	Found  []instances.Paired
	Import Form

	Boot    instances.Boot
	Rollout instances.Rollout
	Totals  string // what the processes use together
}

// many is from how many numbers on searching is worth its place.
const many = 7

// Shown returns the numbers that match search and filter.
func (n Numbers) Shown() []instances.Instance {
	var shown []instances.Instance
	query := strings.ToLower(strings.TrimSpace(n.Query))
	digits := strings.NewReplacer(" ", "", "+", "", "-", "").Replace(query)
	for _, inst := range n.All {
		if !n.filtered(inst) {
			continue
		}
		named := strings.Contains(strings.ToLower(inst.Name), query)
		phoned := digits != "" && strings.Contains(userOf(inst.JID)+" "+inst.Phone, digits)
		if named || phoned {
			shown = append(shown, inst)
		}
	}
	return shown
}

func (n Numbers) filtered(inst instances.Instance) bool {
	switch n.Show {
	case "connected":
		return inst.Status == instances.Connected
	case "attention":
		return needsPerson(inst)
	case "stopped":
		return inst.Status == instances.Idle
	}
	return true
}

func needsPerson(inst instances.Instance) bool {
	tone := instances.Explain(inst.Status, inst.Reason).Tone
	return tone == instances.Bad || tone == instances.Waiting
}

func (n Numbers) totals() (connected, attention, stopped int) {
	for _, inst := range n.All {
		switch {
		case inst.Status == instances.Connected:
			connected++
		case inst.Status == instances.Idle:
			stopped++
		case needsPerson(inst):
			attention++
		}
	}
	return connected, attention, stopped
}

// Summary says how the numbers are doing, in one sentence.
func (n Numbers) Summary() string {
	total := len(n.All)
	connected, attention, stopped := n.totals()
	var parts []string
	switch {
	case total == 0:
		return ""
	case total == 1:
		return "Your number is " + oneWord(connected, attention, stopped, n.All[0].Status == instances.Deleting) + "."
	case connected == total:
		return "All " + number(total) + " numbers are connected."
	case connected > 0:
		parts = append(parts, number(connected)+" of "+number(total)+" connected")
	default:
		parts = append(parts, "None of "+plural(total, "number")+" connected")
	}
	if attention == 1 {
		parts = append(parts, "1 needs you")
	} else if attention > 1 {
		parts = append(parts, number(attention)+" need you")
	}
	if stopped > 0 {
		parts = append(parts, number(stopped)+" stopped")
	}
	return strings.Join(parts, ", ") + "."
}

func oneWord(connected, attention, stopped int, leaving bool) string {
	switch {
	case connected == 1:
		return "connected"
	case attention == 1:
		return "waiting for you"
	case stopped == 1:
		return "stopped"
	case leaving:
		return "being deleted"
	}
	return "on its way"
}

// RowsPath is where the list asks for itself.
func (n Numbers) RowsPath() string {
	q := url.Values{"any": {strconv.FormatBool(len(n.All) > 0)}}
	if n.Query != "" {
		q.Set("q", n.Query)
	}
	if n.Show != "" {
		q.Set("show", n.Show)
	}
	return "/rows?" + q.Encode()
}
