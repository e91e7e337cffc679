package retransmit

import (
	"slices"
	"time"

	"github.com/pktstat/pktstat/flow"
)

// rows finds the records to which retransmits belong.
type rows struct {
	oneNetNS bool // the records have no network namespace
	sockets  bool // the records have sockets
	alone    bool // retransmits without a record get one
	sent     func(*flow.Packed) bool

	// waiting is what is in no record yet, by the key without interface, VLAN and direction.
	waiting map[flow.Packed]*waiting
	ports   [64]uint64 // has a bit for the ports of each key of waiting, and a few others
	// bySocket has the same; nil: of several connections, as sockets that an MPTCP socket has
	// accepted share its cookie.
	bySocket map[uint64]*waiting
}

// waiting is what a connection has sent again.
type waiting struct {
	resent
	of     connection
	at     time.Time // of the last event
	places []place   // of records that have it

	// translated is a record with the socket and other addresses than the connection's. several
	// records have different ones.
	translated *flow.Record
	several    bool
}

// place is an interface at which a packet counted.
type place struct {
	ifindex uint32
	vlan    uint16
}

// The packet may count later than its event is seen. A packet can wait for the address of a
// neighbour. cgroup_skb does not see SYN-ACK over IPv6 on 5.10: its retransmits wait for the next
// packet of the connection.
const (
	lateFor     = time.Minute
	lateForFull = 2 * time.Second // if more than manyWaiting connections wait
	manyWaiting = 8192
)

// Rows calls collect, and adds the retransmits since the last call to records of the connections.
// They are in a record for each interface and VLAN at which packets of the connection counted in
// this window. Retransmits of connections whose packets do not count are in no record, or in one of
// their own ([Options.Alone]).
func (c *Counter) Rows(b *flow.Batch, collect func(*flow.Batch) error) error {
	if c.why != nil {
		return collect(b)
	}
	var err error
	looked := false
	look := func() { // after the end of the window: then each packet in it has its event
		if !looked {
			looked = true
			err = c.read(b.End, func(k *connection, r resent) { c.rows.add(k, r, b.End) })
		}
	}
	stop := b.Watch(flow.BatchHooks{Records: func(rs []flow.Record) error {
		look()
		c.rows.match(rs)
		return nil
	}})
	collectErr := collect(b)
	stop()
	if collectErr != nil {
		return collectErr
	}
	look()
	c.rows.end(b)
	return err
}

// add takes what a connection has sent again.
func (s *rows) add(k *connection, r resent, now time.Time) {
	key := k.key()
	key.Dir = flow.DirUnknown
	if s.oneNetNS {
		key.NetNS = 0
	}
	at := flow.Pack(key)
	w := s.waiting[at]
	if w == nil {
		w = &waiting{of: *k}
		if s.waiting == nil {
			s.waiting = map[flow.Packed]*waiting{}
		}
		s.waiting[at] = w
	}
	w.segments += r.segments
	w.bytes += r.bytes
	w.at = now
	if k.Socket != 0 {
		w.of.Socket = k.Socket
	}
	s.index(at, w)
}

// index makes a connection known to match.
func (s *rows) index(at flow.Packed, w *waiting) {
	word, bit := portsBit(at.L4)
	s.ports[word] |= bit
	if !s.sockets || w.of.Socket == 0 {
		return
	}
	if s.bySocket == nil {
		s.bySocket = map[uint64]*waiting{}
	}
	if other, taken := s.bySocket[w.of.Socket]; taken && other != w {
		s.bySocket[w.of.Socket] = nil
		return
	}
	s.bySocket[w.of.Socket] = w
}

// portsBit is the place of two ports in rows.ports.
func portsBit(l4 uint32) (word int, bit uint64) {
	n := (l4 ^ l4>>16) * 0x9e3779b1 >> 20 // the upper 12 bits
	return int(n >> 6), 1 << (n & 63)
}

// match adds what waits to its records. Several CPUs may have a record of one flow; the first one
// gets it.
func (s *rows) match(rs []flow.Record) {
	if len(s.waiting) == 0 {
		return
	}
	for i := range rs {
		k := &rs[i].Key
		if k.Proto != flow.TCP || k.L4Kind != flow.L4Ports {
			continue
		}
		w := s.at(*k)
		if w == nil {
			s.translated(&rs[i])
			continue
		}
		here := place{k.Ifindex, k.VLAN}
		if !s.sent(k) || slices.Contains(w.places, here) {
			continue
		}
		w.places = append(w.places, here)
		rs[i].Health.Add(w.health())
		rs[i].RetransmitsBy = flow.RetransmitsKernel
	}
}

// at returns what the connection with a key has sent again, nil if that is nothing.
func (s *rows) at(k flow.Packed) *waiting {
	if word, bit := portsBit(k.L4); s.ports[word]&bit == 0 {
		return nil
	}
	k.Dir, k.Ifindex, k.VLAN = flow.DirUnknown, 0, 0
	return s.waiting[k]
}

// translated notes a record that may be of a waiting socket, behind NAT.
func (s *rows) translated(r *flow.Record) {
	if !s.sockets || r.Socket == 0 {
		return
	}
	w := s.bySocket[r.Socket]
	if w == nil || !s.sent(&r.Key) {
		return
	}
	if w.translated == nil {
		w.translated = &flow.Record{Key: r.Key, Socket: r.Socket, CgroupID: r.CgroupID}
	}
	w.several = w.several || w.translated.Key != r.Key
}

// end forgets what is in records, and what has waited for too long.
func (s *rows) end(b *flow.Batch) {
	if len(s.waiting) == 0 {
		return
	}
	late := lateFor
	if len(s.waiting) > manyWaiting {
		late = lateForFull
	}
	s.ports = [64]uint64{}
	clear(s.bySocket)
	for at, w := range s.waiting {
		switch {
		case len(w.places) > 0:
		case w.translated != nil && !w.several:
			w.add(b, *w.translated)
		case s.alone:
			w.add(b, flow.Record{Key: flow.Pack(w.of.key()), Socket: w.of.Socket})
		case b.End.Sub(w.at) < late:
			w.translated, w.several = nil, false
			s.index(at, w)
			continue
		}
		delete(s.waiting, at)
	}
}

// add adds a record with the key and the socket of r.
func (w *waiting) add(b *flow.Batch, r flow.Record) {
	r.First, r.Last = b.Window()
	r.Health, r.RetransmitsBy = w.health(), flow.RetransmitsKernel
	b.Add(r)
}
