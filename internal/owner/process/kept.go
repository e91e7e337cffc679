package process

import (
	"sync"

	"github.com/pktstat/pktstat/internal/kernel/held"
)

// takenOff are the messages about programs that another program detached.
var takenOff = held.Words{
	Off: "processes: another program detached pktstat's programs from %s", Again: "attached again",
	Missed: "the owners of sockets that opened or closed in up to %s may be unknown",
	Until:  "pktstat watched sockets up to %s",
}

// kept watches that the programs at the root cgroup stay attached.
type kept struct {
	looking func() // stops the watch; nil: not started

	mu     sync.Mutex
	keeper *held.Keeper
	gap    bool // since the last call of gaps
}

// begin starts the watch.
func (k *kept) begin(all places) {
	k.keeper.Add(&held.Thing{Name: func() string { return "the root cgroup" }, Held: all.held, Again: all.again})
	k.looking = held.Start(k.look)
}

func (k *kept) end() {
	if k.looking != nil {
		k.looking()
		k.looking = nil
	}
}

func (k *kept) look() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.gap = k.keeper.Look() || k.gap
}

// gaps looks now, and reports whether a program was detached since the last call.
func (k *kept) gaps() bool {
	k.look()
	k.mu.Lock()
	defer k.mu.Unlock()
	gap := k.gap
	k.gap = false
	return gap
}

func (k *kept) notes() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keeper.Notes()
}

// places are the programs' places of attachment. They are useful only together.
type places []*held.Place

func (all places) held() (bool, error) {
	for _, at := range all {
		if there, err := at.Held(); err != nil || !there {
			return false, err
		}
	}
	return true, nil
}

// again attaches the detached programs.
func (all places) again() error {
	for _, at := range all {
		there, err := at.Held()
		if err == nil && !there {
			err = at.Again()
		}
		if err != nil {
			return err
		}
	}
	return nil
}
