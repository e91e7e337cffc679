package tc

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/kernel/bpfflow"
	"github.com/pktstat/pktstat/internal/kernel/retransmit"
	"github.com/pktstat/pktstat/internal/netif/attach"
)

// table is the table of flows, with the retransmits of this network namespace.
type table struct {
	*bpfflow.Table
	resends *retransmit.Counter
	inOnly  sync.Map // indexes of interfaces on which sent packets count on their way in
}

var _ attach.Table = (*table)(nil)

// openTable loads the programs in the network namespace of the calling thread.
func openTable(o bpfflow.Options) (*table, error) {
	var netns unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/net", &netns); err != nil {
		return nil, fmt.Errorf("network namespace: %w", err)
	}
	loaded, err := load(o)
	if err != nil {
		return nil, err
	}
	t := &table{Table: loaded}
	t.resends = retransmit.Open(retransmit.Options{NetNS: uint32(netns.Ino), Sent: t.sent, Explain: explain})
	return t, nil
}

// sent reports whether packets that this host sends count at an interface in a direction.
func (t *table) sent(k *flow.Packed) bool {
	if k.Dir == flow.Egress {
		return true
	}
	_, in := t.inOnly.Load(k.Ifindex)
	return in
}

// attaches notes the directions of an interface. A new interface may have the index of one that is
// gone.
func (t *table) attaches(p *attach.Port) {
	if slices.Contains(directions(p), flow.Egress) {
		t.inOnly.Delete(p.Index)
	} else {
		t.inOnly.Store(p.Index, true)
	}
}

// Collect implements [attach.Table].
func (t *table) Collect(b *flow.Batch) error { return t.resends.Rows(b, t.Table.Collect) }

// Close implements [attach.Table].
func (t *table) Close() error { return errors.Join(t.resends.Close(), t.Table.Close()) }
