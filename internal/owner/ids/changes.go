package ids

import (
	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// Changes renumbers records whose owners a label adds something to. It changes each owner
// once, until [Changes.Forget] is called or the numbers are given up. Where there is no
// room for the change, owners stay as they were.
type Changes struct {
	Tuples registry.Tuples
	// Change adds to an owner; false: there is nothing to add.
	Change func(o *flow.Owner) bool

	numbers map[uint32]uint32 // after the change, by those before
	gen     uint64
}

// Records changes the owners of records that have one.
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

// Forget makes the next records ask for each change anew.
func (c *Changes) Forget() { clear(c.numbers) }
