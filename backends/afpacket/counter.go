package afpacket

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/flowtable"
	"github.com/pktstat/pktstat/internal/netif/attach"
)

// counter has the counts of all interfaces.
type counter struct {
	room      *flowtable.Budget
	decrypted atomic.Uint64 // packets that did not count again
	now       func() time.Time

	mu      sync.Mutex
	readers []*reader
	gone    []*reader // stopped; Collect has not read them yet
}

var _ attach.Table = (*counter)(nil)

func newCounter(maxFlows int, now func() time.Time) *counter {
	return &counter{room: flowtable.NewBudget(maxFlows), now: now}
}

// Collect implements [attach.Table]. It counts everything that the kernel put into the rings
// before the call. First and Last of the records are b's Start and End.
func (c *counter) Collect(b *flow.Batch) error {
	c.mu.Lock()
	readers, gone := slices.Clone(c.readers), c.gone
	c.gone = nil
	c.mu.Unlock()

	var errs []error
	targets := make([]uint64, len(readers))
	for i, r := range readers {
		var err error
		targets[i], err = r.target()
		errs = append(errs, err)
	}
	for i, r := range readers {
		r.settle(targets[i])
	}
	readers = append(readers, gone...)
	now := c.now().UnixNano()
	for _, r := range readers {
		r.swap(now)
	}
	b.WindowClosed(c.now())
	if b.Start.IsZero() {
		b.Start = b.End
	}
	first, last := b.Window()
	for _, r := range readers {
		r.give(b, first, last)
		errs = append(errs, r.failed())
	}
	return errors.Join(errs...)
}

// Wake implements [attach.Table].
func (c *counter) Wake() <-chan struct{} { return c.room.Wake() }

// Notes implements [attach.Table].
func (c *counter) Notes() []string { return c.room.Notes() }

// Decrypted implements [attach.Table].
func (c *counter) Decrypted() uint64 { return c.decrypted.Load() }

// Close implements [attach.Table]. It has nothing to free: detaching freed the rings.
func (c *counter) Close() error { return nil }

func (c *counter) add(readers []*reader) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readers = append(c.readers, readers...)
}

// stop stops readers, and keeps their counts for the next Collect.
func (c *counter) stop(readers []*reader) error {
	var errs []error
	for _, r := range readers {
		errs = append(errs, r.stop())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readers = slices.DeleteFunc(c.readers, func(r *reader) bool { return slices.Contains(readers, r) })
	c.gone = append(c.gone, readers...)
	return errors.Join(errs...)
}
