package pcap

import (
	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
)

// captured is a packet as it is in the file.
type captured struct {
	time    int64  // Unix nanoseconds, from minTime to maxTime
	data    []byte // valid until the stream is read on
	origLen int    // on the wire; may be below len(data) in odd files
	link    packet.LinkType
	ifindex uint32
	dir     flow.Direction
	wild    bool // the file gives a time that is out of range: time is from the packet before
}

// Times out of these (1896 to 2116) are none, so that windows cannot overflow.
// What a pcap file can hold lies inside.
const (
	minTime = -1 << 61
	maxTime = 1 << 62
)

// maxCaptured is the largest captured length that is not taken for damage
// (MAXIMUM_SNAPLEN of libpcap).
const maxCaptured = 256 << 10

// wireLen is the length on the wire.
func (p *captured) wireLen() uint64 { return uint64(max(p.origLen, len(p.data))) }

// cutFCS takes the n bytes of a frame check sequence off: no layer counts them.
func (p *captured) cutFCS(n int) {
	p.origLen = max(p.origLen, len(p.data))
	p.origLen -= min(n, p.origLen)
	p.data = p.data[:min(len(p.data), p.origLen)]
}
