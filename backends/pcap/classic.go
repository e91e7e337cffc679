package pcap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/handshake"
	"github.com/pktstat/pktstat/internal/count/packet"
)

// errLinkType is the error of a link type, after its name.
var errLinkType = errors.New("is not supported")

// classic reads pcap files (draft-ietf-opsawg-pcap) in either byte order, with microseconds or
// nanoseconds. It also reads the "modified" pcap of old Linux distributions, whose record headers
// are 8 bytes longer.
type classic struct {
	swapped bool // written big-endian
	header  int  // length of a record header
	unit    int64
	lengths lengths
	fcs     int
	link    packet.LinkType
}

// lengths is the order of the two lengths in a record header.
type lengths uint8

const (
	capturedFirst lengths = iota
	wireFirst             // before version 2.3
	smallerFirst          // version 2.3: some writers have them as before
)

const (
	classicFileHeader     = 24
	classicRecordHeader   = 16
	classicModifiedHeader = 24
)

// classicMagic finds the variant by the first four bytes.
func classicMagic(b []byte) (*classic, bool) {
	if len(b) < 4 {
		return nil, false
	}
	magic := binary.LittleEndian.Uint32(b)
	for _, swapped := range []bool{false, true} {
		switch magic {
		case 0xa1b2c3d4:
			return &classic{swapped: swapped, header: classicRecordHeader, unit: 1000}, true
		case 0xa1b23c4d:
			return &classic{swapped: swapped, header: classicRecordHeader, unit: 1}, true
		case 0xa1b2cd34:
			return &classic{swapped: swapped, header: classicModifiedHeader, unit: 1000}, true
		}
		magic = bits.ReverseBytes32(magic)
	}
	return nil, false
}

func (c *classic) readFileHeader(b []byte) error {
	major, minor := c.uint16(b[4:]), c.uint16(b[6:])
	switch { // like pcap_check_header of libpcap
	case major != 2 || minor > 4:
		return fmt.Errorf("pcap version %d.%d is not supported, only 2.0 to 2.4 are", major, minor)
	case minor < 3:
		c.lengths = wireFirst
	case minor == 3:
		c.lengths = smallerFirst
	}
	network := c.uint32(b[20:])
	const hasFCS = 1 << 26
	if network&hasFCS != 0 {
		c.fcs = 2 * int(network>>28)
	}
	c.link = packet.LinkType(network & 0xffff)
	if !c.link.Supported() {
		return fmt.Errorf("%s %w", c.link, errLinkType)
	}
	return nil
}

func (c *classic) next(b []byte, p *captured) (int, bool, error) {
	if len(b) < c.header {
		return 0, false, nil
	}
	capLen, wireLen := c.lengthsOf(b)
	if capLen > maxCaptured {
		return 0, false, fmt.Errorf("damaged: a captured length of %d is above the limit of %d", capLen, maxCaptured)
	}
	n := c.header + int(capLen)
	if len(b) < n {
		return 0, false, nil
	}
	p.time = int64(c.uint32(b))*1e9 + int64(c.uint32(b[4:]))*c.unit
	p.data, p.origLen = b[c.header:n:n], int(wireLen)
	p.link, p.ifindex, p.dir, p.wild = c.link, 0, flow.DirUnknown, false
	if c.fcs != 0 {
		p.cutFCS(c.fcs)
	}
	switch {
	case c.header == classicModifiedHeader:
		p.dir = packet.DirectionOf(b[22])
	case c.link != packet.LinkTypeEthernet:
		p.dir = p.link.Direction(p.data)
	}
	return n, true, nil
}

// lengthsOf returns the lengths of a record: captured, and on the wire.
func (c *classic) lengthsOf(b []byte) (captured, wire uint32) {
	captured, wire = c.uint32(b[8:]), c.uint32(b[12:])
	if c.lengths == wireFirst || c.lengths == smallerFirst && captured > wire {
		return wire, captured
	}
	return captured, wire
}

// countRecent counts a run of packets of plain Ethernet captures.
func (c *classic) countRecent(b []byte, t *recent, w *window) (n int, packets uint64) {
	if c.header != classicRecordHeader || c.lengths != capturedFirst || c.fcs != 0 || c.link != packet.LinkTypeEthernet {
		return 0, 0
	}
	for len(b)-n >= classicRecordHeader {
		h := b[n:]
		capLen, origLen := c.uint32(h[8:]), c.uint32(h[12:])
		end := classicRecordHeader + int(capLen)
		if capLen > maxCaptured || end > len(h) {
			break
		}
		time := int64(c.uint32(h))*1e9 + int64(c.uint32(h[4:]))*c.unit
		id, l3, ok := identify(h[classicRecordHeader:end])
		if !ok || time >= w.end {
			break
		}
		place, found := t.find(id)
		if !found {
			break
		}
		s := &t.slots[place]
		m := marksOf(id, l3, h[classicRecordHeader:end])
		frame := uint64(max(capLen, origLen))
		if m.TCPFlags != 0 && (handshake.Wants(m.TCPFlags, s.TCPFlags) || !s.follow(segmentOf(l3, frame, h[classicRecordHeader:end]), m.TCPFlags)) {
			break
		}
		s.add(l3, frame, time, m)
		w.low, w.high = min(w.low, time), max(w.high, time)
		packets++
		n += end
	}
	w.packets += packets
	t.added += packets
	return n, packets
}

func (c *classic) cut(b []byte) error {
	switch {
	case len(b) == 0:
		return nil
	case len(b) < c.header:
		return fmt.Errorf("cut short: %d of the %d bytes of its header are there", len(b), c.header)
	}
	capLen, _ := c.lengthsOf(b)
	return fmt.Errorf("cut short: %d of %d bytes are there", len(b)-c.header, capLen)
}

// interfaces returns nil: a pcap file has no names.
func (c *classic) interfaces() []flow.Interface { return nil }

func (c *classic) uint16(b []byte) uint16 {
	v := binary.LittleEndian.Uint16(b)
	if c.swapped {
		v = bits.ReverseBytes16(v)
	}
	return v
}

func (c *classic) uint32(b []byte) uint32 {
	v := binary.LittleEndian.Uint32(b)
	if c.swapped {
		v = bits.ReverseBytes32(v)
	}
	return v
}
