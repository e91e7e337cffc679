// Package packet is the Go packet parser: from a frame to its flow and its
// counters, after docs/accounting.md. The C parser, bpf/parse.h, follows the
// same rules; testdata/packets and a fuzz test hold both to them.
package packet

import "github.com/pktstat/pktstat/flow"

// Frame is a packet as it was captured, with what the kernel or the capture
// file knows about it besides its bytes.
type Frame struct {
	Data []byte // captured bytes, from the link header on (layer 3 if there is none)
	Len  int    // length on the wire of what Data starts: at least len(Data)

	// Raw: there is no Ethernet header, Data starts at layer 3.
	Raw bool
	// EtherType of a Raw frame; 0: told by the first four bits.
	EtherType flow.EtherType
	// LinkLen is the length of the link header before Data, which a cooked capture may have
	// replaced: FrameBytes counts it. 0: the link has none.
	LinkLen int
	// Opaque: a Raw frame is one of EtherType, whatever is in Data.
	Opaque bool

	// Tagged: the kernel holds the outermost VLAN tag outside of Data and Len.
	Tagged bool
	TCI    uint16 // of that tag

	// Segments of a GSO or GRO super-frame; 0 and 1 mean that it is none, unless there
	// is a SegmentSize.
	Segments int
	// SegmentSize is the payload of each segment of a super-frame but the last, whose
	// Segments are not known. 0: it is none.
	SegmentSize int
	// HeaderLen is what is in Data before the payload that is segmented, the headers
	// inside of a tunnel included. 0: it ends with the transport header.
	HeaderLen int
}

// Parse sets the key, the counters and the marks of r from f: every field of
// them, since r may hold an old record. Dir, Ifindex, NetNS and OwnerID are 0;
// they, First and Last are the caller's. No frame is an error: what cannot be
// read is counted by its ethertype.
//
// The flags are 0 if the frame has no TCP header up to there, as later fragments. The
// header of a super-frame has the union of its segments' flags.
//
// Parse does not allocate, and keeps nothing of f.
func Parse(f *Frame, r *flow.Record) {
	k := &r.Key
	*k = flow.Packed{}

	etherType, l3 := link(f, k)
	// Of an IP packet: its layer-3 length (never 0), the length of its header,
	// and what is there of the transport header and what follows. These are
	// single values, not a struct, because copying one costs more than parsing.
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
	}

	frameBytes := f.Len + f.LinkLen
	if f.Raw && f.LinkLen == 0 && bytes != 0 {
		frameBytes = l3 + bytes // no link, no padding
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
}
