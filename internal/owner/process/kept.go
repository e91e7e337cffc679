package process

import (
	"sync"

	"github.com/pktstat/pktstat/internal/kernel/held"
)

// takenOff are the words for programs that other programs have taken off.
var takenOff = held.Words{
	Off: "processes: another program took pktstat's programs off %s", Again: "attached again",
	Missed: "who had sockets that came or went in up to %s may not be known",
	Until:  "sockets that come and go are seen up to %s",
}

// kept looks after the programs at the root cgroup.
type kept struct {
	looking func() // ends it; nil: it has not begun

	mu     sync.Mutex
	keeper *held.Keeper
	gap    bool // since the last call of gaps
}

// begin looks from now on.
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

// gaps looks, and reports whether a program was off since the last call.
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

// places are where programs are that are only of use together.
type places []*held.Place

func (all places) held() (bool, error) {
	for _, at := range all {
		if there, err := at.Held(); err != nil || !there {
			return false, err
		}
	}
	return true, nil
}

// again attaches those that are not.
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
