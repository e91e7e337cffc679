// Package trafficgen generates captures of mixed traffic: a small realistic one, and large ones for
// tests and benchmarks. All addresses are reserved for documentation or benchmarks (RFC 5737, RFC
// 3849, RFC 2544).
//
// The same arguments give the same bytes.
package trafficgen

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/pktstat/pktstat/internal/count/packet"
	"github.com/pktstat/pktstat/internal/test/pcapfile"
)

//go:generate go run github.com/pktstat/pktstat/internal/test/trafficgen/gen ../../../testdata/mix.pcap

// Options of Write.
type Options struct {
	Snaplen int // limit of captured bytes of a packet; 0: none
	// FrameLen makes every packet a UDP/IPv4 frame of this length, for benchmarks that count
	// packets. It is 0 or at least MinFrameLen.
	FrameLen int
}

// MinFrameLen is the smallest Options.FrameLen.
const MinFrameLen = ethernetLen + ipv4Len + udpLen

// MaxFlows is the number of distinct flows that Write can make.
const MaxFlows = 2 * sources * 254

const sources = 1 << 17 // addresses of 198.18.0.0/15

// Write writes a capture (pcap, Ethernet) with exactly these numbers of packets and flows. Each
// flow gets at least one packet; older flows get more. Flows 2n and 2n+1 are the two directions of
// a conversation. Packets are 50 microseconds apart on average. flows must not exceed packets or
// MaxFlows.
func Write(w io.Writer, packets, flows int, seed uint64, o Options) error {
	if flows < 1 || packets < flows || flows > MaxFlows {
		return fmt.Errorf("mix of %d packets in %d flows: need packets >= flows >= 1 and at most %d flows", packets, flows, MaxFlows)
	}
	if o.FrameLen != 0 && o.FrameLen < MinFrameLen {
		return fmt.Errorf("mix of frames of %d bytes: need at least %d", o.FrameLen, MinFrameLen)
	}
	buf := bufio.NewWriterSize(w, 1<<16)
	out, err := pcapfile.NewWriter(buf, packet.LinkTypeEthernet, o.Snaplen)
	if err != nil {
		return err
	}
	g := generator{rng: rand.New(rand.NewPCG(seed, 0)), frameLen: o.FrameLen}
	at := start
	for i, begun := 0, 0; i < packets; i++ {
		n := begun
		if uint64(begun)*uint64(packets) <= uint64(i)*uint64(flows) {
			begun++
		} else {
			u := g.rng.Float64()
			n = int(u * u * float64(begun))
		}
		frame := g.frame(n)
		if err := out.Write(pcapfile.Packet{Time: at, Data: cut(frame, o.Snaplen), OrigLen: len(frame)}); err != nil {
			return err
		}
		at = at.Add(time.Duration(g.rng.IntN(100)+1) * time.Microsecond)
	}
	return buf.Flush()
}

var start = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func cut(frame []byte, snaplen int) []byte {
	if snaplen == 0 {
		return frame
	}
	return frame[:min(snaplen, len(frame))]
}

type generator struct {
	rng      *rand.Rand
	frameLen int
	p        builder
}

// kinds of conversations. A kind that is listed twice is twice as frequent.
var kinds = []func(*generator, *conversation){
	(*generator).tcp, (*generator).tcp, (*generator).tcp, (*generator).tcp, (*generator).tcp, (*generator).tcp,
	(*generator).udp, (*generator).udp, (*generator).udp, (*generator).udp,
	(*generator).tcp6, (*generator).tcp6, (*generator).tcp6,
	(*generator).udp6, (*generator).udp6,
	(*generator).vlan, (*generator).qinq,
	(*generator).icmp, (*generator).icmp6, (*generator).arp, (*generator).gre,
	(*generator).esp, (*generator).sctp, (*generator).laterFragment, (*generator).ipOptions, (*generator).extHeaders,
}

// conversation is what the packets of one direction are made from.
type conversation struct {
	n                int  // number of the conversation
	reverse          bool // the second direction
	srcMAC, dstMAC   mac
	src, dst         netip.Addr
	src6, dst6       netip.Addr
	srcPort, dstPort uint16
}

func direction(flow int) conversation {
	n := flow / 2
	c := conversation{
		n: n, reverse: flow%2 == 1,
		srcMAC: mac{2, 0, 0, byte(n >> 16), byte(n >> 8), byte(n)},
		dstMAC: mac{2, 0xff, 0, 0, 0, 1},
		src:    address4(198<<24|18<<16, n%sources),
		dst:    address4(203<<24|113<<8, 1+n/sources),
		src6:   address6(n), dst6: netip.MustParseAddr("2001:db8:ffff::80"),
		srcPort: uint16(32768 + n%28232), dstPort: []uint16{443, 80, 8443, 5201, 40000, 40001, 50000, 50001}[n%8],
	}
	if c.reverse {
		c.srcMAC, c.dstMAC = c.dstMAC, c.srcMAC
		c.src, c.dst = c.dst, c.src
		c.src6, c.dst6 = c.dst6, c.src6
		c.srcPort, c.dstPort = c.dstPort, c.srcPort
	}
	return c
}

func address4(net, host int) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(net+host))))
}

func address6(host int) netip.Addr {
	a := [16]byte{0x20, 0x01, 0x0d, 0xb8}
	binary.BigEndian.PutUint32(a[12:], uint32(host))
	return netip.AddrFrom16(a)
}

// frame returns a packet of a flow, valid until the next call.
func (g *generator) frame(flow int) []byte {
	g.p.reset()
	c := direction(flow)
	if g.frameLen > 0 {
		n := g.frameLen - MinFrameLen
		g.p.ethernet(c.srcMAC, c.dstMAC, typeIPv4)
		g.p.ip(c.src, c.dst, protoUDP)
		g.p.udp(c.srcPort, c.dstPort, n)
		g.p.fill(n)
		return g.p.done()
	}
	kinds[c.n%len(kinds)](g, &c)
	if c.reverse { // received frames are padded; sent ones are captured before padding
		return g.p.padded()
	}
	return g.p.done()
}

// size returns the size of a payload: many small, many full, some between.
func (g *generator) size(full int) int {
	switch g.rng.IntN(8) {
	case 0, 1, 2:
		return g.rng.IntN(32)
	case 3, 4, 5:
		return full
	}
	return g.rng.IntN(full)
}
