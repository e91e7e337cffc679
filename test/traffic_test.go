package test

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testnet"
	"github.com/pktstat/pktstat/registry"
)

// everydayTraffic is what was sent between two interfaces. Its directions are as one of them sees
// them.
type everydayTraffic struct {
	known []testnet.Flow // flows with known counters
	tcp   []connection   // connections, for which TCP decides the number of packets
}

// connection is one direction of a TCP connection.
type connection struct {
	key     flow.Key
	payload uint64
}

// sendEveryday sends various traffic, and returns it as a sees it.
func sendEveryday(t *testing.T, a, b *testnet.Iface) *everydayTraffic {
	t.Helper()
	sent := &everydayTraffic{}
	add := func(dir flow.Direction, f testnet.Flow) {
		f.Key.Dir = dir
		sent.known = append(sent.known, f)
	}
	for _, v6 := range []bool{false, true} {
		for n, size := range []int{0, 1, 46, 333, 1400} {
			port := uint16(1000 + n)
			add(flow.Egress, testnet.SendUDP(t, a, b, testnet.UDP{V6: v6, SrcPort: 40000 + port, DstPort: port, Payload: size, Count: 20 + n}))
			add(flow.Ingress, testnet.SendUDP(t, b, a, testnet.UDP{V6: v6, SrcPort: port, DstPort: 40000 + port, Payload: size, Count: 3}))
		}
		requests, replies := testnet.SendPing(t, a, b, testnet.Ping{V6: v6, Payload: 56, Count: 7})
		add(flow.Egress, requests)
		add(flow.Ingress, replies)

		const request, reply = 1000, 1 << 20
		there, back := testnet.SendTCP(t, a, b, testnet.TCP{V6: v6, Request: request, Reply: reply})
		there.Dir, back.Dir = flow.Egress, flow.Ingress
		sent.tcp = append(sent.tcp, connection{there, request}, connection{back, reply})
	}
	for _, f := range oddFrames(a, b) {
		add(flow.Egress, f)
	}
	for _, f := range oddFrames(b, a) {
		add(flow.Ingress, f)
	}
	return sent
}

// seenBy returns the part of the traffic that a backend sees.
func (s *everydayTraffic) seenBy(caps registry.Caps) *everydayTraffic {
	unseen := func(k *flow.Key) bool {
		return k.Dir == flow.Ingress && !caps.Has(registry.CapIngress) || k.Dir == flow.Egress && !caps.Has(registry.CapEgress)
	}
	return &everydayTraffic{
		known: slices.DeleteFunc(slices.Clone(s.known), func(f testnet.Flow) bool { return unseen(&f.Key) }),
		tcp:   slices.DeleteFunc(slices.Clone(s.tcp), func(c connection) bool { return unseen(&c.key) }),
	}
}

// oddFrames sends frames that no socket makes. Their destination does not exist, so no host
// answers.
func oddFrames(from, to *testnet.Iface) []testnet.Flow {
	const count = 5
	var sent []testnet.Flow
	send := func(etherType uint16, payload []byte, key flow.Key, layer3 int) {
		frame := from.Ethernet(testnet.UnusedMAC, etherType, payload)
		from.SendFrames(count, frame)
		sent = append(sent, testnet.Flow{Key: key, Counters: flow.Counters{
			Packets: count, Bytes: uint64(count * layer3), FrameBytes: uint64(count * len(frame)),
		}})
	}
	src, dst := netip.AddrPortFrom(from.IPv4, 7000), netip.AddrPortFrom(to.IPv4, 7001)
	segment := ipv4(src, dst, 6, 0, tcp(src, dst, 100))

	// Padded to the least Ethernet length; padding does not belong to layer 3.
	short := ipv4(src, dst, 132, 0, []byte{27, 88, 27, 89})
	send(0x0800, append(short, make([]byte, 46-len(short))...), flow.Key{Src: src, Dst: dst, Proto: flow.SCTP}, len(short))

	tagged := func(tag ...byte) []byte { return append(append(tag, 0x08, 0x00), segment...) }
	send(0x8100, tagged(0x60, 42), flow.Key{Src: src, Dst: dst, Proto: flow.TCP, VLAN: 42}, len(segment))
	send(0x88a8, tagged(0x00, 7, 0x81, 0x00, 0x00, 42), flow.Key{Src: src, Dst: dst, Proto: flow.TCP, VLAN: 7}, len(segment))

	// The second fragment of a datagram has no ports.
	fragment := ipv4(src, dst, 17, 185, make([]byte, 64))
	send(0x0800, fragment, flow.Key{
		Src: netip.AddrPortFrom(src.Addr(), 0), Dst: netip.AddrPortFrom(dst.Addr(), 0), Proto: flow.UDP,
	}, len(fragment))

	send(0x88cc, make([]byte, 46), flow.Key{EtherType: 0x88cc}, 0)
	send(0x0800, make([]byte, 46), flow.Key{EtherType: flow.EtherTypeIPv4}, 0) // version 0
	return sent
}

// ipv4 returns a packet without options and without a checksum. offset is the fragment offset, in
// units of 8 bytes.
func ipv4(src, dst netip.AddrPort, proto uint8, offset uint16, payload []byte) []byte {
	p := []byte{0x45, 0}
	p = binary.BigEndian.AppendUint16(p, uint16(20+len(payload)))
	p = append(p, 0, 1)
	p = binary.BigEndian.AppendUint16(p, offset)
	p = append(p, 64, proto, 0, 0)
	p = append(p, src.Addr().AsSlice()...)
	p = append(p, dst.Addr().AsSlice()...)
	return append(p, payload...)
}

// tcp returns a segment with ports and a payload of n bytes.
func tcp(src, dst netip.AddrPort, n int) []byte {
	p := binary.BigEndian.AppendUint16(nil, src.Port())
	p = binary.BigEndian.AppendUint16(p, dst.Port())
	p = append(p, make([]byte, 16+n)...)
	p[12] = 5 << 4 // data offset
	return p
}
