package packet

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/pktstat/pktstat/flow"
)

// LinkType is the link-layer header type of a capture file
// (https://www.tcpdump.org/linktypes.html).
type LinkType uint32

// Link types that other packages use. The table linkTypes has all of them.
const (
	LinkTypeNull      LinkType = 0
	LinkTypeEthernet  LinkType = 1
	LinkTypePPP       LinkType = 9
	LinkTypeRaw       LinkType = 101
	LinkTypeLoop      LinkType = 108
	LinkTypeLinuxSLL  LinkType = 113
	LinkTypeIPv4      LinkType = 228
	LinkTypeIPv6      LinkType = 229
	LinkTypeLinuxSLL2 LinkType = 276

	linkTypeCHDLC      LinkType = 104
	linkTypeWifi       LinkType = 105
	linkTypeFrameRelay LinkType = 107
)

// linkType is an entry of the table. If read and unwrap are nil, only its name is known.
type linkType struct {
	name string
	// read sets every field of f from a packet.
	read func(data []byte, origLen int, f *Frame)
	// unwrap removes a header that names another link type. It returns false if the header is
	// incomplete.
	unwrap func(data []byte, origLen int) (LinkType, []byte, int, bool)
	// direction returns a packet's direction. Nil: the link type has none.
	direction func(data []byte) flow.Direction
}

func (l LinkType) entry() *linkType {
	if uint64(l) < uint64(len(linkTypes)) {
		return &linkTypes[l]
	}
	return &linkType{}
}

// Supported reports whether Frame reads the link type.
func (l LinkType) Supported() bool {
	e := l.entry()
	return e.read != nil || e.unwrap != nil
}

// String returns "linktype 127 (IEEE802_11_RADIO)", or "linktype N" if the type has no name.
func (l LinkType) String() string {
	s := "linktype " + strconv.FormatUint(uint64(l), 10)
	if name := l.Name(); name != "" {
		s = fmt.Sprintf("%s (%s)", s, name)
	}
	return s
}

// Name returns the name in tcpdump -L, "" if there is none.
func (l LinkType) Name() string { return l.entry().name }

// Direction returns the direction in the header of a packet of this link type.
func (l LinkType) Direction(data []byte) flow.Direction {
	if read := l.entry().direction; read != nil {
		return read(data)
	}
	return flow.DirUnknown
}

// Interface returns the number of the interface in the header of a packet, 0 if it has none.
// Captures on the device any have it (LINUX_SLL2).
func (l LinkType) Interface(data []byte) uint32 {
	const at, end = 4, 8
	if l != LinkTypeLinuxSLL2 || len(data) < end {
		return 0
	}
	return binary.BigEndian.Uint32(data[at:end])
}

// Frame sets every field of f from a captured packet of this link type. It does not copy data. It
// removes headers that the capture added and that were not on the wire. A packet that ends inside
// such a header gets the ethertype flow.EtherTypeRunt. origLen is the original length in the
// capture, with that header; a value below len(data) counts as len(data).
//
// It returns false if the link type is not Supported. f is then a flow.EtherTypeRunt of the
// packet's length.
func (l LinkType) Frame(data []byte, origLen int, f *Frame) bool {
	origLen = max(origLen, len(data))
	switch l {
	case LinkTypeEthernet:
		*f = Frame{Data: data, Len: origLen}
		return true
	case LinkTypeRaw:
		*f = Frame{Data: data, Len: origLen, Raw: true}
		return true
	}
	e := l.entry()
	if e.unwrap != nil {
		inner, d, n, ok := e.unwrap(data, origLen)
		if !ok {
			opaque(flow.EtherTypeRunt, n, f)
			return true
		}
		e, data, origLen = inner.entry(), d, n
		if e.read == nil {
			opaque(flow.EtherTypeRunt, origLen, f)
			return true
		}
	}
	if e.read == nil {
		opaque(flow.EtherTypeRunt, origLen, f)
		return false
	}
	e.read(data, origLen, f)
	return true
}

// opaque makes f a frame of n bytes on the wire that is not parsed.
func opaque(t flow.EtherType, n int, f *Frame) {
	*f = Frame{Len: max(n, 0), Raw: true, EtherType: t, Opaque: true}
}

// linked makes f a frame with a link header of n bytes, which FrameBytes includes. data must have
// them.
func linked(data []byte, origLen, n int, t flow.EtherType, f *Frame) {
	*f = Frame{Data: data[n:], Len: origLen - n, Raw: true, EtherType: realType(t), LinkLen: n}
}

func ethernet(data []byte, origLen int, f *Frame) { *f = Frame{Data: data, Len: origLen} }

func raw(data []byte, origLen int, f *Frame) { *f = Frame{Data: data, Len: origLen, Raw: true} }

func rawIPv4(data []byte, origLen int, f *Frame) {
	*f = Frame{Data: data, Len: origLen, Raw: true, EtherType: flow.EtherTypeIPv4}
}

func rawIPv6(data []byte, origLen int, f *Frame) {
	*f = Frame{Data: data, Len: origLen, Raw: true, EtherType: flow.EtherTypeIPv6}
}

func mpls(data []byte, origLen int, f *Frame) {
	*f = Frame{Data: data, Len: origLen, Raw: true, EtherType: typeMPLS}
}

// typeAt returns the ethertype at an offset. d must be long enough.
func typeAt(d []byte, at int) flow.EtherType { return flow.EtherType(binary.BigEndian.Uint16(d[at:])) }
