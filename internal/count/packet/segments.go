package packet

import (
	"encoding/binary"

	"github.com/pktstat/pktstat/flow"
)

// addSegments turns the counters of a super-frame into those of its segments on
// the wire: each after the first repeats what is before layer 3, the IP header
// and the transport header.
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

// jumboHeaderLen is the length of the hop-by-hop header that the kernel puts into
// IPv6 super-frames above 64 KiB and takes out of every segment
// (ipv6_hopopt_jumbo_remove in include/net/ipv6.h).
const jumboHeaderLen = 8

func isJumbo(d []byte) bool {
	_, ok := jumboLen(d)
	return ok && binary.BigEndian.Uint16(d[4:]) == 0
}

// transportLen returns the length of the transport header of the protocols that
// are segmented, 0 for others and if it is not there.
func transportLen(d []byte, p flow.Proto) int {
	switch {
	case p == flow.TCP && len(d) > 12:
		return int(d[12]>>4) * 4
	case p == flow.UDP && len(d) >= 8:
		return 8
	}
	return 0
}
