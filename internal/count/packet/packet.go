// Package packet is the Go packet parser. It turns a frame into a flow key and counters, by the
// rules of docs/accounting.md. The C parser, bpf/parse.h, has the same rules; testdata/packets
// and a fuzz test check both.
package packet

import "github.com/pktstat/pktstat/flow"

// Frame is a captured packet, with what the kernel or the capture file knows about it.
type Frame struct {
	Data []byte // captured bytes, from the link header on (or from layer 3 if there is none)
	Len  int    // bytes on the wire from the start of Data; at least len(Data)

	// Raw: Data starts at layer 3, without an Ethernet header.
	Raw bool
	// EtherType of a Raw frame. 0: the first four bits of Data determine it.
	EtherType flow.EtherType
	// LinkLen is the length of the link header before Data, which a cooked capture may have
	// replaced. FrameBytes includes it. 0: the link has no header.
	LinkLen int
	// Opaque: the frame counts as EtherType, and Data is not parsed. It implies Raw.
	Opaque bool

	// Tagged: the kernel keeps the outermost VLAN tag outside of Data and Len.
	Tagged bool
	TCI    uint16 // the outermost tag

	// Segments is the number of segments of a GSO or GRO super-frame. 0 and 1 mean no
	// super-frame, unless SegmentSize is set.
	Segments int
	// SegmentSize is the payload of each segment but the last, for a super-frame whose Segments
	// are unknown. 0: no super-frame.
	SegmentSize int
	// HeaderLen is the length of the headers before the segmented payload, including the headers
	// inside a tunnel. 0: they end with the transport header.
	HeaderLen int
}

// Segment is what a TCP header says of its payload. The header of a super-frame is of all its
// segments.
type Segment struct {
	Seq     uint32
	Payload uint32 // bytes, by the length of layer 3
}

// Parse sets the key, the counters and the marks of r from f. It sets every field of them, as r
// may hold an old record. Dir, Ifindex, NetNS and OwnerID become 0; the caller sets these, First
// and Last. No frame is an error: a frame that Parse cannot read counts by its ethertype.
//
// The TCP flags are 0 if Data has no TCP header, as in later fragments. The header of a
// super-frame has the union of its segments' flags. The returned segment is 0 then, and for
// other protocols.
//
// Parse does not allocate, and keeps no reference to f.
func Parse(f *Frame, r *flow.Record) (seg Segment) {
	k := &r.Key
	*k = flow.Packed{}

	etherType, l3 := link(f, k)
	// For an IP packet: its layer-3 length (never 0), its header length, and the captured bytes
	// from the transport header on. They are no struct, because copying one costs more than
	// parsing.
	var bytes, header int
	var payload []byte
	var marks flow.Marks
	switch etherType {
	case flow.EtherTypeIPv4:
		bytes, header, payload = ipv4(f.Data[l3:], f.Len-l3, k)
	case flow.EtherTypeIPv6:
		bytes, header, payload = ipv6(f.Data[l3:], f.Len-l3, k)
	case flow.EtherTypeARP:
		arp(f.Data[l3:], k)
	}
	if bytes == 0 {
		k.EtherType = etherType
	} else {
		transport(payload, k)
		marks = Marks(k.Proto, payload)
		if marks.TCPFlags != 0 {
			seg = segment(payload, bytes-header)
		}
	}

	frameBytes := f.Len + f.LinkLen
	if f.Raw && f.LinkLen == 0 && bytes != 0 {
		frameBytes = l3 + bytes // without link header and padding
	}
	if f.Tagged {
		frameBytes += tagLen
	}
	r.Marks = marks
	r.Packets = 1
	r.Bytes = uint64(bytes)
	r.FrameBytes = uint64(frameBytes)
	if f.Segments > 1 || f.SegmentSize > 0 {
		addSegments(&r.Counters, f, l3, header, payload, k)
	}
	return seg
}
