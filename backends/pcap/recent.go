package pcap

import (
	"encoding/binary"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
)

// recent adds up the packets of recent flows, so that most packets of a capture need neither the
// parser nor a record. It takes only the most common kind of packet: TCP or UDP in an IPv4 header
// without options, not a fragment, on untagged Ethernet. Two such packets are of one flow if
// their identities are equal. The parser reads the first packet of each flow.
//
// It is a small table with linear probing over a few slots. If all of these are taken, the
// smallest one goes to the batch. If most packets belong to flows outside of the table, it pauses
// for a while.
type recent struct {
	slots *[recentSlots]recentSlot
	keys  *[recentSlots]flow.Packed // of the slots
	used  []uint16                  // slots that are taken
	added uint64                    // packets since the last flush
	new   uint64                    // packets of new flows since then
	pause uint64                    // packets to skip
}

type recentSlot struct {
	identity // zero: free
	packets  uint64
	bytes    uint64 // layer 3
	frame    uint64
	first    int64
	last     int64
	flow.Marks
	follows bool   // next is valid
	ahead   bool   // the stream does not know next yet
	next    uint32 // of the flow's stream: the end of the highest TCP segment
	// A cache line each.
}

const (
	recentBits  = 14 // one megabyte of slots fits into the second-level cache
	recentSlots = 1 << recentBits
	recentProbe = 4
	// recentPackets is how many packets the table keeps from the engine, which shows
	// progress.
	recentPackets = 1 << 20
	recentPause   = 1 << 22
)

func newRecent() *recent {
	return &recent{slots: new([recentSlots]recentSlot), keys: new([recentSlots]flow.Packed)}
}

// identity distinguishes the flows of such packets. It is never zero.
type identity struct {
	addrs uint64
	rest  uint64 // ports, protocol; direction and interface, if the capture has them
}

// identify returns the identity of an Ethernet frame, and the layer-3 length in its header.
func identify(d []byte) (id identity, l3 uint64, ok bool) {
	const (
		start          = 14 + 20 + 4
		typeVersionIHL = 0x45_00_08 // read backwards
		fragment       = 0xff_3f    // more fragments, or an offset; read backwards
		tcpUDP         = 1<<flow.TCP | 1<<flow.UDP
	)
	if len(d) < start {
		return id, 0, false
	}
	proto := d[23]
	l3 = uint64(binary.BigEndian.Uint16(d[16:]))
	if binary.LittleEndian.Uint32(d[12:])&0xffffff != typeVersionIHL ||
		binary.LittleEndian.Uint16(d[20:])&fragment != 0 ||
		uint32(tcpUDP)>>proto&1 == 0 || l3 < start-14 {
		return id, 0, false
	}
	id.addrs = binary.LittleEndian.Uint64(d[26:])
	id.rest = uint64(binary.LittleEndian.Uint32(d[34:])) | uint64(proto)<<32
	return id, l3, true
}

// identify returns the packet's identity, if recent takes the packet.
func (p *captured) identify() (id identity, l3 uint64, ok bool) {
	if p.link != packet.LinkTypeEthernet {
		return id, 0, false
	}
	id, l3, ok = identify(p.data)
	id.rest |= uint64(p.dir)<<40 | uint64(p.ifindex)<<42 // at most 65,536
	return id, l3, ok
}

// marksOf returns the marks of a frame that identify takes, by its layer-3 length.
func marksOf(id identity, l3 uint64, d []byte) flow.Marks {
	end := min(l3At+l3, uint64(len(d)))
	return packet.Marks(flow.Proto(id.rest>>32), d[l4At:end])
}

// Where layer 3 and layer 4 of a frame that identify takes begin.
const (
	l3At = 14
	l4At = 14 + 20
)

// segmentOf returns the TCP segment of a frame that has TCP flags.
func segmentOf(l3, frame uint64, d []byte) packet.Segment {
	held := int(min(l3, frame-l3At)) - (l4At - l3At)
	return packet.Segment{Seq: binary.BigEndian.Uint32(d[l4At+4:]), Payload: uint32(max(held-int(d[l4At+12]>>4)*4, 0))}
}

// follow takes a segment that repeats nothing and leaves nothing out. It returns false for any
// other one.
func (s *recentSlot) follow(seg packet.Segment, flags flow.TCPFlags) bool {
	const others = flow.TCPSyn | flow.TCPFin | flow.TCPRst
	if flags&others != 0 || seg.Payload != 0 && (!s.follows || seg.Seq != s.next) {
		return false
	}
	s.next += seg.Payload
	s.ahead = s.follows
	return true
}

// hash needs no secret: at worst, an attacker makes recent useless.
func (id identity) hash() uint64 {
	return (id.addrs ^ id.rest*0x9e3779b97f4a7c15) * 0xd1b54a32d192ed03 >> (64 - recentBits)
}

// find returns the place of a flow.
func (t *recent) find(id identity) (place uint64, found bool) {
	h := id.hash()
	for i := range uint64(recentProbe) {
		if place = (h + i) % recentSlots; t.slots[place].identity == id {
			return place, true
		}
	}
	return 0, false
}

// add counts a packet of frame bytes.
func (s *recentSlot) add(l3, frame uint64, time int64, m flow.Marks) {
	s.packets++
	s.bytes += min(l3, frame-14)
	s.frame += frame
	s.first = min(s.first, time)
	s.last = max(s.last, time)
	s.Marks.Merge(m)
}

// insert adds a flow with its first packet r, and returns its slot.
func (t *recent) insert(id identity, r *flow.Record, b *flow.Batch, l *lineage) *recentSlot {
	h := id.hash()
	to := h % recentSlots
	for i := range uint64(recentProbe) {
		if j := (h + i) % recentSlots; t.slots[j].packets < t.slots[to].packets {
			to = j
		}
	}
	s := &t.slots[to]
	if s.packets == 0 {
		t.used = append(t.used, uint16(to))
	} else {
		t.give(to, b, l)
	}
	*s = recentSlot{
		identity: id, packets: r.Packets, bytes: r.Bytes, frame: r.FrameBytes,
		first: r.First, last: r.Last, Marks: r.Marks,
	}
	t.keys[to] = r.Key
	t.added++
	t.new++
	return s
}

// give hands a slot's flow to the batch.
func (t *recent) give(i uint64, b *flow.Batch, l *lineage) {
	s, r := &t.slots[i], b.Next()
	if s.ahead {
		l.resume(&t.keys[i], s)
	}
	r.Key = t.keys[i]
	r.Counters = flow.Counters{Packets: s.packets, Bytes: s.bytes, FrameBytes: s.frame}
	r.First, r.Last, r.Marks = s.first, s.last, s.Marks
}

// thrashes reports whether most packets belong to flows outside of the table.
func (t *recent) thrashes() bool { return t.new > 2*recentSlots && t.new > t.added/2 }

// due reports whether it is time to flush.
func (t *recent) due() bool { return t.added >= recentPackets || t.thrashes() }

// flush hands everything to the batch.
func (t *recent) flush(b *flow.Batch, l *lineage) {
	for _, i := range t.used {
		t.give(uint64(i), b, l)
		t.slots[i] = recentSlot{}
	}
	if t.thrashes() {
		t.pause = recentPause
	}
	t.used, t.added, t.new = t.used[:0], 0, 0
}
