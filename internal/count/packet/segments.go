package packet

import (
	"encoding/binary"

	"github.com/pktstat/pktstat/flow"
)

// addSegments adds the headers of a super-frame's segments to its counters. On the wire, each
// segment after the first repeats the link, IP and transport headers.
func addSegments(c *flow.Counters, f *Frame, l3, ipHeader int, payload []byte, k *flow.Packed) {
	end := l3 + ipHeader + transportLen(payload, k.Proto)
	if f.HeaderLen > end {
		end = f.HeaderLen
	}
	n := f.Segments
	if n == 0 && f.Len > end {
		n = (f.Len - end + f.SegmentSize - 1) / f.SegmentSize
	}
	if n <= 1 {
		return
	}
	more := uint64(n - 1)
	c.Packets += more
	before := l3 + f.LinkLen
	if f.Tagged {
		before += tagLen
	}
	headers := end - l3
	if ipHeader == 0 { // not IP
		c.FrameBytes += more * uint64(before+headers)
		return
	}
	if k.Family == flow.FamilyIPv6 && isJumbo(f.Data[l3:]) {
		headers -= jumboHeaderLen
		c.Bytes -= jumboHeaderLen
		c.FrameBytes -= jumboHeaderLen
	}
	c.Bytes += more * uint64(headers)
	c.FrameBytes += more * uint64(before+headers)
}

// jumboHeaderLen is the length of the hop-by-hop header in IPv6 super-frames above 64 KiB. The
// kernel removes it from every segment (ipv6_hopopt_jumbo_remove in include/net/ipv6.h).
const jumboHeaderLen = 8

func isJumbo(d []byte) bool {
	_, ok := jumboLen(d)
	return ok && binary.BigEndian.Uint16(d[4:]) == 0
}

// transportLen returns the length of the transport header of a segmented protocol. It returns 0
// for other protocols and for an incomplete header.
func transportLen(d []byte, p flow.Proto) int {
	switch {
	case p == flow.TCP && len(d) > 12:
		return int(d[12]>>4) * 4
	case p == flow.UDP && len(d) >= 8:
		return 8
	}
	return 0
}
