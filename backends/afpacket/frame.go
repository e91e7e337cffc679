package afpacket

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
)

const (
	ethernetLen = 14
	// Of struct sockaddr_ll behind struct tpacket3_hdr, in a ring.
	addrProtocolAt = 48 + 2
	addrPktTypeAt  = 48 + 10
)

// captured is a packet in a ring: its ring header and all that follows.
type captured []byte

func (c captured) header() *unix.Tpacket3Hdr { return (*unix.Tpacket3Hdr)(unsafe.Pointer(&c[0])) }

// time returns when the kernel saw the packet, in Unix nanoseconds.
func (c captured) time() int64 {
	h := c.header()
	return int64(h.Sec)*1e9 + int64(h.Nsec)
}

// complete reports whether the kernel has filled the place. It may give up on a packet after it
// has made room, and counts that packet as dropped. That happens with super-frames that struct
// virtio_net_hdr cannot describe (virtio_net_hdr_from_skb in include/linux/virtio_net.h), such as
// UDP before Linux 6.2.
func (c captured) complete() bool { return c.header().Status&unix.TP_STATUS_USER != 0 }

// outgoing reports whether this host sends the packet.
func (c captured) outgoing() bool { return c[addrPktTypeAt] == unix.PACKET_OUTGOING }

// leavesVRF reports whether a packet on a VRF device leaves it: the kernel hands over all of them
// as outgoing. A leaving packet has a link header without a destination (vrf_finish_direct in
// drivers/net/vrf.c). Through a qdisc, source and destination are the device's address. An
// arriving packet has the header with which it arrived. What stays inside counts on its way in,
// as on lo, if the VRF has no qdisc.
func (c captured) leavesVRF(queued bool) bool {
	header := c[c.header().Mac:]
	to, from := [6]byte(header[:6]), [6]byte(header[6:12])
	return to == [6]byte{} || queued && to == from
}

// frame sets every field of f. raw is for interfaces without a link header.
func (c captured) frame(f *packet.Frame, raw bool) {
	h := c.header()
	start := int(h.Mac)
	skipped := 0
	if raw { // a tunnel without a fixed peer has a header
		start = int(h.Net)
		skipped = start - int(h.Mac)
	}
	*f = packet.Frame{
		Data: c[start : int(h.Mac)+max(int(h.Snaplen), skipped)],
		Len:  int(h.Len) - skipped,
		Raw:  raw,
	}
	if raw {
		const minType = 0x0600 // smaller numbers are no types; packet sockets leave them there
		if t := flow.EtherType(binary.BigEndian.Uint16(c[addrProtocolAt:])); t >= minType {
			f.EtherType = t
		}
	}
	if h.Status&unix.TP_STATUS_VLAN_VALID != 0 {
		f.Tagged, f.TCI = true, uint16(h.Hv1.Vlan_tci)
	}
	c.segments(f, skipped)
}

// segments reads struct virtio_net_hdr (include/uapi/linux/virtio_net.h), which lies before the
// frame. Its fields have the machine's byte order. Its offsets count from the start of the frame.
func (c captured) segments(f *packet.Frame, skipped int) {
	const (
		length      = 10
		needsCsum   = 1    // VIRTIO_NET_HDR_F_NEEDS_CSUM
		ecn         = 0x80 // VIRTIO_NET_HDR_GSO_ECN
		udpCsumAt   = 6    // offset in the UDP header
		tcpCsumAt   = 16
		udpLen      = 8
		tcpOffsetAt = 12
	)
	v := c[int(c.header().Mac)-length:]
	if v[1]&^ecn == 0 { // VIRTIO_NET_HDR_GSO_NONE
		return
	}
	f.SegmentSize = int(binary.NativeEndian.Uint16(v[4:]))
	if v[0]&needsCsum == 0 {
		return
	}
	// The checksum belongs to the innermost transport header.
	transport := int(binary.NativeEndian.Uint16(v[6:])) - skipped
	switch binary.NativeEndian.Uint16(v[8:]) {
	case udpCsumAt:
		f.HeaderLen = transport + udpLen
	case tcpCsumAt:
		if at := transport + tcpOffsetAt; at >= 0 && at < len(f.Data) {
			f.HeaderLen = transport + int(f.Data[at]>>4)*4
		}
	}
}

// frameLen returns the length of the frame with a tag that the kernel keeps outside of it.
func frameLen(f *packet.Frame) int {
	const tagLen = 4
	if f.Tagged {
		return f.Len + tagLen
	}
	return f.Len
}
