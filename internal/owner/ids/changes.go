package ids

import (
	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// Changes renumbers records, for a label that adds to their owners. It asks for the change of an
// owner once, and again after [Changes.Forget] or [Table.Sweep]. If the table is full, the owner
// stays unchanged.
type Changes struct {
	Tuples registry.Tuples
	// Change adds to an owner. It returns false if there is nothing to add.
	Change func(o *flow.Owner) bool

	numbers map[uint32]uint32 // new number by old number
	gen     uint64
}

// Records changes the owners of those records that have one.
func (c *Changes) Records(recs []flow.Record) {
	if g := c.Tuples.Generation(); g != c.gen || c.numbers == nil {
		c.gen, c.numbers = g, map[uint32]uint32{}
	}
	for i := range recs {
		id := &recs[i].Key.OwnerID
		if *id == 0 {
			continue
		}
		after, ok := c.numbers[*id]
		if !ok {
			after = *id
			if o := c.Tuples.Get(*id); c.Change(&o) {
				if after = c.Tuples.Number(&o); after == 0 {
					continue
				}
			}
			c.numbers[*id] = after
		}
		*id = after
	}
}

// Forget drops the known changes, so that the next records ask for them again.
func (c *Changes) Forget() { clear(c.numbers) }
