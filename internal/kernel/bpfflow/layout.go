package bpfflow

import (
	"encoding/binary"
	"unsafe"

	"github.com/pktstat/pktstat/flow"
)

// These types mirror bpf/flow.h. TestLayout compares them with the BTF of the objects.

const bucketSlots = 8

// Kinds of wide keys (enum kind in bpf/flow.h).
const (
	kindEth = iota
	kindIPv4
	kindIPv6
	kindARP
)

const (
	metaVLANShift = 8
	metaVLANMask  = 0xfff

	meta4IfindexShift = 20
	meta4IfindexMask  = 0x3ff
	meta4Egress       = 1 << 30

	metaDirShift  = 20
	metaKindShift = 22

	countsBytes      = 1<<48 - 1
	countsFlagsShift = 48

	countsResetsShift = 56
)

type slot4 struct {
	Meta   uint32
	L4     [4]byte // network byte order
	Addrs  [8]byte // source and destination
	Counts counts
}

type slotWide struct {
	keyWide
	Counts counts
}

type slotSocket struct {
	keyWide
	Cgroup uint64
	Socket uint64
	Counts counts
}

type keyWide struct {
	Meta    uint32
	L4      [4]byte
	Addrs   [32]byte
	Ifindex uint32
	NetNS   uint32
}

type counts struct {
	PacketsOverhead uint64
	BytesFlags      uint64
}

type side struct {
	TableFull flow.Counters
	Inserts   uint64
	Evictions uint64
	Folds     uint64
	// Handshakes is how many elements of the array handshakes are in use, and Skipped the
	// segments for which there was none.
	Handshakes, Skipped uint32
	Resets              uint64 // of TableFull, and those that slots had no room for

	Interrupted flow.Counters
	NoShard     flow.Counters
	Lost        lost
}

type lost struct{ Packets, Bytes uint64 }

// iface is struct iface.
type iface struct {
	Ifindex       uint32
	Direction     uint32
	MergedPackets uint64
	MergedBytes   uint64
	FullPackets   uint64
	FullBytes     uint64
}

// maxIfaces is IFACES.
const maxIfaces = 64

// segment is struct handshake.
type segment struct {
	Key      [8]uint64
	Time     uint64
	TCPFlags uint32
	Words    uint32
}

// maxSegments is HANDSHAKES.
const maxSegments = 1024

// decode sets every field of r except First, Last and RTT. It counts nothing.
func (s *segment) decode(r *flow.Record) {
	key := unsafe.Pointer(&s.Key)
	switch s.Words {
	case 2:
		slot := slot4{}
		*(*[2]uint64)(unsafe.Pointer(&slot)) = *(*[2]uint64)(key)
		slot.decode(r)
	case 8:
		slot := slotSocket{}
		*(*[8]uint64)(unsafe.Pointer(&slot)) = s.Key
		slot.decode(r)
	default:
		slot := slotWide{}
		*(*[6]uint64)(unsafe.Pointer(&slot)) = *(*[6]uint64)(key)
		slot.decode(r)
	}
}

// decode sets every field of r except First and Last.
func (s *slot4) decode(r *flow.Record) {
	k := &r.Key
	proto := flow.Proto(s.Meta)
	*k = flow.Packed{
		Proto:   proto,
		Dir:     flow.Ingress,
		VLAN:    uint16(s.Meta >> metaVLANShift & metaVLANMask),
		Ifindex: s.Meta >> meta4IfindexShift & meta4IfindexMask,
		L4:      binary.BigEndian.Uint32(s.L4[:]),
		L4Kind:  l4Kind(proto),
	}
	if s.Meta&meta4Egress != 0 {
		k.Dir = flow.Egress
	}
	k.SetIPv4(s.Addrs[:])
	s.Counts.decode(r, true)
}

// decode is slot4.decode for wide slots.
func (s *slotWide) decode(r *flow.Record) {
	s.keyWide.decode(&r.Key)
	s.Counts.decode(r, s.isIP())
}

// decode is slot4.decode for slots with a socket.
func (s *slotSocket) decode(r *flow.Record) {
	s.keyWide.decode(&r.Key)
	r.CgroupID, r.Socket = s.Cgroup, s.Socket
	s.Counts.decode(r, s.isIP())
}

func (s *keyWide) isIP() bool {
	kind := s.Meta >> metaKindShift & 3
	return kind == kindIPv4 || kind == kindIPv6
}

// decode sets every field of k.
func (s *keyWide) decode(k *flow.Packed) {
	kind := s.Meta >> metaKindShift & 3
	*k = flow.Packed{
		Dir:     flow.Direction(s.Meta >> metaDirShift & 3),
		VLAN:    uint16(s.Meta >> metaVLANShift & metaVLANMask),
		Ifindex: s.Ifindex,
		NetNS:   s.NetNS,
	}
	l4 := binary.BigEndian.Uint32(s.L4[:])
	switch kind {
	case kindIPv4, kindIPv6:
		k.Proto = flow.Proto(s.Meta)
		k.L4, k.L4Kind = l4, l4Kind(k.Proto)
		if kind == kindIPv6 {
			k.SetIPv6(s.Addrs[:])
			break
		}
		k.Family = flow.FamilyIPv4
		copy(k.Src[:4], s.Addrs[:])
		copy(k.Dst[:4], s.Addrs[16:])
	case kindARP:
		k.EtherType = flow.EtherTypeARP
		k.L4, k.L4Kind = l4, flow.L4Subtype
		k.Family = flow.FamilyIPv4
		copy(k.Src[:4], s.Addrs[:])
		copy(k.Dst[:4], s.Addrs[16:])
	case kindEth:
		k.EtherType = flow.EtherType(l4)
		if k.EtherType == flow.EtherTypeARP { // as flow.Pack does for every ARP
			k.L4Kind = flow.L4Subtype
		}
	}
}

// decode sets the counters, the union of the TCP flags, and the resets. The flags are byte 13 of
// the header (RFC 9293): CWR in bit 7 to FIN in bit 0. A frame that is not IP has its frame bytes
// in the field of the layer-3 bytes.
func (c *counts) decode(r *flow.Record, ip bool) {
	bytes := c.BytesFlags & countsBytes
	r.Counters = flow.Counters{
		Packets:    c.PacketsOverhead & 0xffffffff,
		FrameBytes: bytes + c.PacketsOverhead>>32,
	}
	if ip {
		r.Bytes = bytes
	}
	r.TCPFlags, r.Resets = flow.TCPFlags(c.BytesFlags>>countsFlagsShift), c.BytesFlags>>countsResetsShift
}

func l4Kind(p flow.Proto) flow.L4Kind {
	switch {
	case p.HasPorts():
		return flow.L4Ports
	case p.HasSubtype():
		return flow.L4Subtype
	}
	return flow.L4None
}
