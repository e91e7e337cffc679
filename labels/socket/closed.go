package socket

import (
	"sync"

	"github.com/pktstat/pktstat/internal/kernel/sockdiag"
)

// place is where a socket is, or was.
type place struct {
	ends  sockdiag.Ends
	space int32  // id of the network namespace
	age   uint32 // distinguishes namespaces that had the same id
}

// closed keeps the last state of the sockets that the kernel has destroyed. It holds a limited
// number, and forgets the oldest. It is safe for concurrent use.
type closed struct {
	mu        sync.Mutex
	most      int
	at        map[place]int
	entries   []entry
	oldest    int
	forgotten uint64
	ages      map[int32]uint32 // of ids of namespaces
}

type entry struct {
	place
	sockdiag.Info
}

func newClosed(most int) *closed {
	return &closed{most: most, at: map[place]int{}, ages: map[int32]uint32{}}
}

// add remembers a socket. A later one with the same ends takes the place of the earlier one.
func (c *closed) add(space int32, ends sockdiag.Ends, info sockdiag.Info) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := entry{place{ends, space, c.ages[space]}, info}
	if i, ok := c.at[e.place]; ok {
		c.entries[i] = e
		return
	}
	i := len(c.entries)
	switch {
	case c.most <= 0:
		return
	case i < c.most:
		c.entries = append(c.entries, e)
	default:
		i = c.oldest
		c.oldest = (c.oldest + 1) % c.most
		delete(c.at, c.entries[i].place)
		c.entries[i] = e
		c.forgotten++
	}
	c.at[e.place] = i
}

// find returns the last socket with these ends.
func (c *closed) find(space int32, age uint32, ends sockdiag.Ends) (sockdiag.Info, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i, ok := c.at[place{ends, space, age}]
	if !ok {
		return sockdiag.Info{}, false
	}
	return c.entries[i].Info, true
}

// begin makes a namespace the owner of an id, and returns the age of the id. What was remembered
// under the id is of a namespace before it.
func (c *closed) begin(space int32) (age uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ages[space]++
	return c.ages[space]
}

// overwritten returns how many sockets were forgotten for want of room.
func (c *closed) overwritten() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.forgotten
}
