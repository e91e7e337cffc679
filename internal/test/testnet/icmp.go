package testnet

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
)

// Ping describes echo requests.
type Ping struct {
	V6             bool
	Payload, Count int // bytes of each; number
}

// ICMP types (RFC 792, RFC 4443).
const (
	echoRequest   = 8
	echoReply     = 0
	echoRequestV6 = 128
	echoReplyV6   = 129
)

// SendPing sends echo requests from one interface to the other. The other host's kernel answers
// each.
func SendPing(tb testing.TB, from, to *Iface, p Ping) (requests, replies Flow) {
	tb.Helper()
	if p.Payload+ipv6Len+icmpLen > from.MTU {
		tb.Fatalf("testnet: a payload of %d bytes would be fragmented at an MTU of %d", p.Payload, from.MTU)
	}
	request, reply, proto, network := uint8(echoRequest), uint8(echoReply), flow.ICMP, "ip4:icmp"
	if p.V6 {
		request, reply, proto, network = echoRequestV6, echoReplyV6, flow.ICMPv6, "ip6:ipv6-icmp"
	}
	src, dst := from.addr(p.V6), to.addr(p.V6)
	var conn *net.IPConn
	err := from.Do(func() (err error) {
		conn, err = net.DialIP(network, &net.IPAddr{IP: src.AsSlice()}, &net.IPAddr{IP: dst.AsSlice()})
		return err
	})
	if err != nil {
		tb.Fatalf("testnet: ping %s: %v", dst, err)
	}
	defer conn.Close()
	for seq := range p.Count {
		if err := ping(conn, request, reply, uint16(seq), p); err != nil {
			tb.Fatalf("testnet: ping %s: %v", dst, err)
		}
	}
	key := flow.Key{Proto: proto}
	there, back := key, key
	there.Src, there.Dst, there.Subtype = netip.AddrPortFrom(src, 0), netip.AddrPortFrom(dst, 0), uint32(request)<<8
	back.Src, back.Dst, back.Subtype = netip.AddrPortFrom(dst, 0), netip.AddrPortFrom(src, 0), uint32(reply)<<8
	return newFlow(there, p.Count, icmpLen+p.Payload), newFlow(back, p.Count, icmpLen+p.Payload)
}

// ping sends one request and waits for its reply.
func ping(conn *net.IPConn, request, reply uint8, seq uint16, p Ping) error {
	const identifier = 0x5073
	msg := make([]byte, icmpLen+p.Payload)
	msg[0] = request
	binary.BigEndian.PutUint16(msg[4:], identifier)
	binary.BigEndian.PutUint16(msg[6:], seq)
	if !p.V6 { // for ICMPv6, the kernel computes it
		binary.BigEndian.PutUint16(msg[2:], checksum(msg))
	}
	if _, err := conn.Write(msg); err != nil {
		return err
	}
	if err := conn.SetReadDeadline(time.Now().Add(ioTimeout)); err != nil {
		return err
	}
	buf := make([]byte, 64<<10)
	for {
		n, _, err := conn.ReadFromIP(buf) // ReadFromIP removes the IPv4 header, Read does not
		if err != nil {
			return fmt.Errorf("reply %d: %w", seq, err)
		}
		if n >= icmpLen && buf[0] == reply && binary.BigEndian.Uint16(buf[4:]) == identifier &&
			binary.BigEndian.Uint16(buf[6:]) == seq {
			return nil
		}
	}
}

// checksum returns the Internet checksum (RFC 1071) of b.
func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
