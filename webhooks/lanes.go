package webhooks

import "time"

// lane is a chat with something to deliver to an endpoint: one event after the other.
type lane struct {
	chat  string
	next  time.Time
	index int  // in order
	more  bool // something came in while one was under way
}

// lanes is a heap of lanes, the one that is due first on top.
type lanes []*lane

func (l lanes) Len() int           { return len(l) }
func (l lanes) Less(i, j int) bool { return l[i].next.Before(l[j].next) }
func (l lanes) Swap(i, j int)      { l[i], l[j] = l[j], l[i]; l[i].index, l[j].index = i, j }

// Push is for package heap.
func (l *lanes) Push(x any) {
	added := x.(*lane)
	added.index = len(*l)
	*l = append(*l, added)
}

// Pop is for package heap. The index of what is out is negative.
func (l *lanes) Pop() any {
	old := *l
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*l = old[:len(old)-1]
	last.index = -1
	return last
}
