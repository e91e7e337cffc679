package ledger

import "github.com/pktstat/pktstat/flow"

// side is what a row has beside it. Rows of both directions have one each; of others, few
// do. Its ends are in the order of the key.
type side struct {
	flow.Side
	ends [2]end
}

// end is what tells the local end of a conversation from the other one.
type end struct {
	near  bool          // the hook sent what the end sent, or received what was for it
	first int64         // when the end sent its first segment with SYN; 0: it did not
	flags flow.TCPFlags // of what the end sent
	owner uint32        // number of the owner that was found for the end
	match flow.Match    // how
}

// sides are all sides. Number 0 is none.
type sides struct {
	store store[side]
	free  []uint32
}

// of returns the side of a row, which must not be changed if the row has none.
func (s *sides) of(row *flow.PackedRow) *side {
	if row.Side == 0 {
		return &noSide
	}
	return s.store.at(row.Side)
}

var noSide side

// make returns the side of a row, and makes one if there is none.
func (s *sides) make(row *flow.PackedRow) *side {
	if row.Side != 0 {
		return s.store.at(row.Side)
	}
	if n := len(s.free); n > 0 {
		row.Side = s.free[n-1]
		s.free = s.free[:n-1]
		return s.store.at(row.Side)
	}
	if s.store.n == 0 {
		s.store.push()
	}
	row.Side = uint32(s.store.n)
	return s.store.push()
}

// drop forgets the side of a row that goes.
func (s *sides) drop(row *flow.PackedRow) {
	if row.Side != 0 {
		*s.store.at(row.Side) = side{}
		s.free = append(s.free, row.Side)
	}
}

// endInterval moves what the interval counted into the totals.
func (s *sides) endInterval() {
	for x := range s.store.all() {
		x.EndInterval()
	}
}

// from says which end of its row sent a record. It keeps what the projection clears.
type from struct {
	second bool // the second end
	dir    flow.Direction
	owner  uint32
}

// add counts what one end sent.
func (x *side) add(r *flow.Record, f from) {
	x.Health.Delta.Add(r.Health)
	if r.Retransmits != 0 {
		x.RetransmitsBy = max(x.RetransmitsBy, r.RetransmitsBy)
	}
	x.MergeRTT(r.RTT, r.RTTBy)
	if !f.second {
		x.Out.Delta.Add(r.Counters)
	}
	sender, receiver := &x.ends[0], &x.ends[1]
	if f.second {
		sender, receiver = receiver, sender
	}
	if r.TCPFlags&flow.TCPSyn != 0 && (sender.first == 0 || r.First < sender.first) {
		sender.first = r.First
	}
	sender.flags |= r.TCPFlags
	near := receiver // without direction, as in captures, only for the owner
	if f.dir == flow.Egress {
		near = sender
	}
	near.near = near.near || f.dir != flow.DirUnknown
	if r.Match != flow.MatchUnset && (near.match == flow.MatchUnset || r.Match <= near.match) {
		near.owner, near.match = f.owner, r.Match
	}
}

// local returns the index of the local end, and how it is known.
func (x *side) local(row *flow.PackedRow) (int, flow.EndsBy) {
	a, b := &x.ends[0], &x.ends[1]
	index := func(second bool) int {
		if second {
			return 1
		}
		return 0
	}
	switch {
	case oneEnd(&row.Key):
		return 0, flow.EndsOrder
	case a.near != b.near:
		return index(b.near), flow.EndsDirection
	case a.first != 0 && b.first != 0 && a.first != b.first: // the other one answered
		return index(b.first < a.first), flow.EndsSYN
	case a.onlySYN() != b.onlySYN():
		return index(b.onlySYN()), flow.EndsSYN
	}
	if row.Key.L4Kind == flow.L4Ports {
		if src, dst := uint16(row.Key.L4>>16), uint16(row.Key.L4); src != dst {
			return index(dst > src), flow.EndsPort
		}
	}
	return 0, flow.EndsOrder
}

// oneEnd reports whether both ends are the same.
func oneEnd(k *flow.Packed) bool {
	return k.Src == k.Dst && (k.L4Kind != flow.L4Ports || k.L4>>16 == k.L4&0xffff)
}

// onlySYN reports whether the end asked for a connection without being answered, or was
// answered by a segment that was not seen.
func (e *end) onlySYN() bool {
	return e.flags&flow.TCPSyn != 0 && e.flags&flow.TCPAck == 0
}
