package sequence

import "github.com/pktstat/pktstat/flow"

// Stream is one direction of a TCP connection. It knows which bytes it has seen: all up to the
// highest one, but for the holes.
type Stream struct {
	id uint64 // 0: the place is free
	// Next is the end of the highest segment seen.
	Next  uint32
	isn   uint32 // sequence number of the last SYN
	at    uint32 // when the last segment was seen, in ticks
	known bool   // Next is valid
	syn   bool   // isn is valid
	ended bool   // a segment with FIN or RST was seen
	n     uint8  // holes in use
	holes [maxHoles]hole
}

// hole is a range of sequence numbers that were not seen: from inclusive, to exclusive. The holes
// of a stream are in order, and none touches another one.
type hole struct{ from, to uint32 }

// maxHoles is how many holes a stream remembers. Segments that overtake one another leave few.
const maxHoles = 5

// far is a distance that no window has (RFC 7323, section 2.3): addresses and ports are used
// again.
const far = 1 << 30

// Again is what a segment repeats.
type Again struct {
	Segment bool   // the segment counts as sent again
	Bytes   uint32 // of payload
}

// Health is what a frame of several segments and a payload counts.
func (a Again) Health(segments uint64, payload uint32) (h flow.Health) {
	if !a.Segment {
		return h
	}
	h = flow.Health{Retransmits: 1, RetransmitBytes: uint64(a.Bytes)}
	if segments > 1 && payload > 0 { // all but the last are equally long
		h.Retransmits = max(1, (h.RetransmitBytes*segments+uint64(payload)-1)/uint64(payload))
	}
	return h
}

// Consumes reports whether a segment takes sequence numbers, so that a stream must see it.
func Consumes(payload uint32, flags flow.TCPFlags) bool {
	return payload > 0 || flags&(flow.TCPSyn|flow.TCPFin) != 0
}

// Segment takes a segment without RST for which [Consumes] holds.
func (s *Stream) Segment(seq, payload uint32, flags flow.TCPFlags) Again {
	syn, fin := flags&flow.TCPSyn != 0, flags&flow.TCPFin != 0
	end := seq + payload
	if syn {
		end++
	}
	if fin {
		end++
		s.ended = true
	}
	ahead := int32(seq - s.Next)
	switch {
	case syn && (!s.syn || seq != s.isn), !s.known, ahead > far, ahead < -far:
		*s = Stream{id: s.id, Next: end, isn: seq, at: s.at, known: true, syn: syn}
		return Again{}
	case ahead == 0:
	case ahead > 0:
		s.lack(hole{s.Next, seq})
	case ahead == -1 && payload > 0 && !syn && !fin:
		// One byte is a keep-alive. Several are data after a probe of a closed window, whose
		// byte the receiver has not taken.
	default:
		return s.repeat(seq, end, payload, syn)
	}
	if int32(end-s.Next) > 0 {
		s.Next = end
	}
	return Again{}
}

// repeat takes a segment that begins below Next.
func (s *Stream) repeat(seq, end, payload uint32, syn bool) Again {
	until := end
	if int32(end-s.Next) > 0 {
		until, s.Next = s.Next, end
	}
	filled, late := s.fill(hole{seq, until})
	seen := until - seq - filled
	if late || seen == 0 { // it was overtaken
		return Again{}
	}
	if syn {
		seen--
	}
	return Again{Segment: true, Bytes: min(seen, payload)} // FIN has a number, too
}

// lack remembers a hole behind all others. If there are too many, it forgets the oldest one.
func (s *Stream) lack(h hole) {
	if s.n == maxHoles {
		copy(s.holes[:], s.holes[1:])
		s.n--
	}
	s.holes[s.n] = h
	s.n++
}

// fill removes a range from the holes. It returns how much of the range was in holes, and whether
// its begin was.
func (s *Stream) fill(r hole) (filled uint32, begin bool) {
	var left [maxHoles + 1]hole
	n := 0
	for _, h := range s.holes[:s.n] {
		from, to := higher(h.from, r.from), lower(h.to, r.to)
		if int32(to-from) <= 0 {
			left[n] = h
			n++
			continue
		}
		filled += to - from
		begin = begin || from == r.from
		if h.from != from {
			left[n] = hole{h.from, from}
			n++
		}
		if h.to != to {
			left[n] = hole{to, h.to}
			n++
		}
	}
	skip := max(n-maxHoles, 0) // only one hole can become two
	s.n = uint8(copy(s.holes[:], left[skip:n]))
	return filled, begin
}

func higher(a, b uint32) uint32 {
	if int32(a-b) > 0 {
		return a
	}
	return b
}

func lower(a, b uint32) uint32 {
	if int32(a-b) > 0 {
		return b
	}
	return a
}
