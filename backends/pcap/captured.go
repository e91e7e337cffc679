package pcap

import (
	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
)

// captured is a packet, as the file has it.
type captured struct {
	time    int64  // Unix nanoseconds, from minTime to maxTime
	data    []byte // valid until the next read of the stream
	origLen int    // on the wire; may be below len(data) in odd files
	link    packet.LinkType
	ifindex uint32
	dir     flow.Direction
	wild    bool // the time in the file is out of range, so time is the time of the packet before
}

// Times outside of this range (1896 to 2116) are invalid, so that windows cannot overflow. Every
// time in a pcap file lies inside.
const (
	minTime = -1 << 61
	maxTime = 1 << 62
)

// maxCaptured is the largest valid captured length; more is damage (MAXIMUM_SNAPLEN of libpcap).
const maxCaptured = 256 << 10

// wireLen is the length on the wire.
func (p *captured) wireLen() uint64 { return uint64(max(p.origLen, len(p.data))) }

// cutFCS removes the n bytes of a frame check sequence: no layer counts them.
func (p *captured) cutFCS(n int) {
	p.origLen = max(p.origLen, len(p.data))
	p.origLen -= min(n, p.origLen)
	p.data = p.data[:min(len(p.data), p.origLen)]
}
