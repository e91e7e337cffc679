package test

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/corpus"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/trafficgen"
)

// TestAgainstTshark compares a capture of mixed traffic with tshark, flow by flow: addresses,
// ports, protocol, packets, and bytes of frames and of layer 3.
func TestAgainstTshark(t *testing.T) {
	tshark := testenv.Tool(t, "tshark", "tshark")
	capture := mixCapture(t, 120_000, 6_000)
	ours := parseReport(t, []byte(run(t, "--pcap-file", capture, "--output", "json"))).byID()
	if len(ours) < 5_000 {
		t.Errorf("only %d flows", len(ours))
	}
	t.Run("fields", func(t *testing.T) {
		theirs := tsharkFlows(t, tshark, capture)
		var differences differences
		for i, c := range ours {
			if theirs[i] != c {
				differences.add("%+v: %+v, tshark %+v", i, c, theirs[i])
			}
			delete(theirs, i)
		}
		for i, c := range theirs {
			differences.add("%+v: only tshark sees it, %+v", i, c)
		}
		differences.report(t)
	})
	t.Run("conversations", func(t *testing.T) { checkConversations(t, tshark, capture, ours) })
}

// differences keeps the first few of possibly thousands.
type differences struct {
	n     int
	first []string
}

func (d *differences) add(format string, args ...any) {
	if d.n++; d.n <= 10 {
		d.first = append(d.first, fmt.Sprintf(format, args...))
	}
}

func (d *differences) report(t *testing.T) {
	t.Helper()
	if d.n > 0 {
		t.Errorf("%d differences, the first:\n%s", d.n, strings.Join(d.first, "\n"))
	}
}

// mixCapture writes a capture and returns its path.
func mixCapture(t *testing.T, packets, flows int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mix.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := trafficgen.Write(f, packets, flows, 1, trafficgen.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// tsharkFields are the fields that are read of each packet. Some occur more than once, in tunnels
// and ICMP errors; the test reads only the first.
var tsharkFields = []string{
	"frame.len", "frame.protocols", "eth.type", "vlan.id", "ieee8021ad.id",
	"ip.src", "ip.dst", "ip.len", "ip.proto", "ip.frag_offset",
	"ipv6.src", "ipv6.dst", "ipv6.plen", "ipv6.nxt",
	"ipv6.hopopts.nxt", "ipv6.routing.nxt", "ipv6.dstopts.nxt", "ipv6.fraghdr.nxt", "ipv6.fraghdr.offset",
	"tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport", "sctp.srcport", "sctp.dstport",
	"icmp.type", "icmp.code", "icmpv6.type", "icmpv6.code",
	"gre.proto", "gre.flags_and_version", "igmp.type", "ospf.version", "ospf.msg", "esp.spi", "arp.opcode", "arp.src.proto_ipv4", "arp.dst.proto_ipv4",
}

// tsharkFlows reads a capture with tshark, and adds up its packets by flow.
func tsharkFlows(t *testing.T, tshark, capture string) sums[id] {
	t.Helper()
	args := []string{
		"-r", capture, "-n",
		// Do not reassemble fragments and segments.
		"-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE", "-o", "tcp.desegment_tcp_streams:FALSE",
		"-T", "fields", "-E", "occurrence=f", "-E", "separator=/t",
	}
	for _, f := range tsharkFields {
		args = append(args, "-e", f)
	}
	cmd := exec.CommandContext(t.Context(), tshark, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	flows := sums[id]{}
	for s := bufio.NewScanner(out); s.Scan(); {
		values := strings.Split(s.Text(), "\t")
		if len(values) != len(tsharkFields) {
			t.Fatalf("tshark wrote %q", s.Text())
		}
		p := tsharkPacket{t: t, fields: make(map[string]string, len(values))}
		for i, v := range values {
			p.fields[tsharkFields[i]] = v
		}
		flows.add(p.flow())
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("tshark: %v\n%s", err, &stderr)
	}
	return flows
}

// tsharkPacket is a packet as tshark prints it.
type tsharkPacket struct {
	t      *testing.T
	fields map[string]string
}

// num returns a field as a number; 0 if the packet does not have it.
func (p *tsharkPacket) num(field string) uint64 {
	v := p.fields[field]
	if v == "" {
		return 0
	}
	n, err := strconv.ParseUint(v, 0, 64)
	if err != nil {
		p.t.Fatalf("tshark: %s is %q", field, v)
	}
	return n
}

func (p *tsharkPacket) addr(field string) netip.Addr {
	a, err := netip.ParseAddr(p.fields[field])
	if err != nil {
		p.t.Fatalf("tshark: %s of %v: %v", field, p.fields, err)
	}
	return a
}

// flow returns the flow of the outermost network layer.
func (p *tsharkPacket) flow() (id, flow.Counters) {
	i := id{}
	c := flow.Counters{Packets: 1, FrameBytes: p.num("frame.len")}
	etherType := p.num("eth.type")
	layers := strings.Split(p.fields["frame.protocols"], ":")
	net := ""
	for _, l := range layers {
		switch l {
		case "vlan", "ieee8021ad":
			if i.VLAN == 0 {
				i.VLAN = uint16(p.num(map[string]string{"vlan": "vlan.id", "ieee8021ad": "ieee8021ad.id"}[l]))
			}
			continue
		case "eth", "ethertype":
			continue
		}
		net = l
		break
	}
	switch net {
	case "ip":
		i.Src, i.Dst = p.addr("ip.src"), p.addr("ip.dst")
		c.Bytes = p.num("ip.len")
		p.transport(&i, flow.Proto(p.num("ip.proto")), p.num("ip.frag_offset") == 0)
	case "ipv6":
		i.Src, i.Dst = p.addr("ipv6.src"), p.addr("ipv6.dst")
		c.Bytes = p.num("ipv6.plen") + 40
		p.transport(&i, p.ipv6Proto(), p.num("ipv6.fraghdr.offset") == 0)
	case "arp":
		i.Proto, i.ARPOp = "ARP", uint16(p.num("arp.opcode"))
		i.Src, i.Dst = p.addr("arp.src.proto_ipv4"), p.addr("arp.dst.proto_ipv4")
	default:
		i.Proto, i.EtherType = "ETH", flow.EtherType(etherType).String()
	}
	return i, c
}

// ipv6Proto walks the extension headers.
func (p *tsharkPacket) ipv6Proto() flow.Proto {
	next := p.num("ipv6.nxt")
	for {
		field, ok := map[uint64]string{
			0: "ipv6.hopopts.nxt", 43: "ipv6.routing.nxt", 44: "ipv6.fraghdr.nxt", 60: "ipv6.dstopts.nxt",
		}[next]
		if !ok || p.fields[field] == "" {
			return flow.Proto(next)
		}
		next = p.num(field)
		delete(p.fields, field) // only the first occurrence is known
	}
}

func (p *tsharkPacket) transport(i *id, proto flow.Proto, first bool) {
	i.Proto = proto.String()
	if !first {
		return
	}
	switch proto {
	case flow.TCP, flow.UDP, flow.SCTP:
		name := strings.ToLower(i.Proto)
		i.SrcPort, i.DstPort = uint16(p.num(name+".srcport")), uint16(p.num(name+".dstport"))
	case flow.ICMP:
		i.ICMPType, i.ICMPCode = uint8(p.num("icmp.type")), uint8(p.num("icmp.code"))
	case flow.ICMPv6:
		i.ICMPType, i.ICMPCode = uint8(p.num("icmpv6.type")), uint8(p.num("icmpv6.code"))
	case flow.GRE:
		const ack = 0x0080 // makes no flow of its own
		i.Subtype = corpus.SubtypeOf(proto, uint32(p.num("gre.flags_and_version")&^ack<<16|p.num("gre.proto")))
	case flow.IGMP:
		i.IGMPType = uint8(p.num("igmp.type"))
	case flow.OSPF:
		i.OSPFVersion, i.OSPFType = uint8(p.num("ospf.version")), uint8(p.num("ospf.msg"))
	case flow.ESP:
		i.SPI = uint32(p.num("esp.spi"))
	}
}
