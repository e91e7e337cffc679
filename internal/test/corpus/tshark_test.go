package corpus

import (
	"bytes"
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
	"github.com/pktstat/pktstat/internal/test/testenv"
)

// TestTShark compares the truth with tshark's reading of the same files. They must differ exactly
// where the truth declares tshark_differs.
func TestTShark(t *testing.T) {
	tshark := testenv.Tool(t, "tshark", "tshark")
	cases, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := Dir()
	if err != nil {
		t.Fatal(err)
	}
	for len(cases) > 0 {
		group, _, _ := strings.Cut(cases[0].Name, "/")
		n := slices.IndexFunc(cases, func(c Case) bool { return !strings.HasPrefix(c.Name, group+"/") })
		if n < 0 {
			n = len(cases)
		}
		read := runTShark(t, tshark, filepath.Join(dir, group+".pcap"))
		if len(read) != n {
			t.Fatalf("%s: tshark read %d packets of %d", group, len(read), n)
		}
		for i, c := range cases[:n] {
			t.Run(c.Name, func(t *testing.T) { compare(t, &c, read[i]) })
		}
		cases = cases[n:]
	}
}

func compare(t *testing.T, c *Case, p tsharkPacket) {
	got, want := p.summary(c), wantSummary(c)
	if c.TSharkDiffers == "" && got != want {
		t.Errorf("tshark   %s\ndeclared %s", got, want)
	}
	if c.TSharkDiffers != "" && got == want {
		t.Errorf("tshark_differs is declared (%s), but it reads the same: %s", c.TSharkDiffers, got)
	}
}

// tsharkPacket has all values of a packet's fields.
type tsharkPacket map[string][]string

var tsharkFields = []string{
	"frame.len", "eth.type", "vlan.etype", "vlan.id", "ieee8021ad.id", "ieee8021ad.svid", "cmd.type", "ppp.protocol",
	"arp.opcode", "arp.src.proto_ipv4", "arp.dst.proto_ipv4",
	"ip.src", "ip.dst", "ip.proto", "ipv6.src", "ipv6.dst", "ipv6.nxt",
	"ipv6.hopopts.nxt", "ipv6.dstopts.nxt", "ipv6.routing.nxt", "ipv6.fraghdr.nxt",
	"ah.next_header", "mip6.proto", "hip.proto", "shim6.nxt",
	"tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport", "sctp.srcport", "sctp.dstport",
	"dccp.srcport", "dccp.dstport", "icmp.type", "icmp.code", "icmpv6.type", "icmpv6.code",
	"gre.proto", "gre.flags_and_version", "igmp.type", "ospf.version", "ospf.msg", "esp.spi", "ah.spi",
}

func runTShark(t *testing.T, tshark, file string) []tsharkPacket {
	t.Helper()
	args := []string{"-n", "-r", file, "-T", "fields", "-E", "occurrence=a",
		"-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE"}
	for _, f := range tsharkFields {
		args = append(args, "-e", f)
	}
	var stderr bytes.Buffer
	cmd := exec.Command(tshark, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark -r %s: %v: %s", file, err, stderr.Bytes())
	}
	var packets []tsharkPacket
	for line := range strings.Lines(string(out)) {
		p := tsharkPacket{}
		for i, v := range strings.Split(strings.TrimSuffix(line, "\n"), "\t") {
			if v != "" {
				p[tsharkFields[i]] = strings.Split(v, ",")
			}
		}
		packets = append(packets, p)
	}
	return packets
}

// first returns the outermost value of a field as a number, or 0.
func (p tsharkPacket) first(field string) uint64 {
	if len(p[field]) == 0 {
		return 0
	}
	n, err := strconv.ParseUint(p[field][0], 0, 64)
	if err != nil {
		panic(fmt.Sprintf("tshark: %s=%q", field, p[field][0]))
	}
	return n
}

func (p tsharkPacket) addr(field string) netip.Addr {
	if len(p[field]) == 0 {
		return netip.Addr{}
	}
	return netip.MustParseAddr(p[field][0])
}

// summary returns tshark's reading in the form of wantSummary. The declared protocol selects the
// fields, because tshark also reads packets inside packets.
func (p tsharkPacket) summary(c *Case) string {
	want := c.Want.Key.Key()
	k := flow.Key{VLAN: p.vlan()}
	switch {
	case want.EtherType == flow.EtherTypeARP:
		if p.etherType() == flow.EtherTypeARP || len(p["arp.opcode"]) > 0 {
			k.EtherType = flow.EtherTypeARP
		}
		k.Subtype = uint32(p.first("arp.opcode"))
		k.Src = netip.AddrPortFrom(p.addr("arp.src.proto_ipv4"), 0)
		k.Dst = netip.AddrPortFrom(p.addr("arp.dst.proto_ipv4"), 0)
	case want.EtherType != 0:
		k.EtherType = p.etherType()
		// tshark has read both addresses, so it takes the packet for IP.
		mayBeIP := append(packet.HeaderTypes(), flow.EtherTypeIPv4, flow.EtherTypeIPv6)
		if len(p["ip.dst"])+len(p["ipv6.dst"]) > 0 && slices.Contains(mayBeIP, k.EtherType) {
			k.EtherType = 0
		}
	case want.Src.Addr().Is4():
		k.Proto = flow.Proto(p.first("ip.proto"))
		k.Src, k.Dst = p.ports(k.Proto, p.addr("ip.src"), p.addr("ip.dst"))
		k.Subtype = p.sub(k.Proto)
	default:
		k.Proto = p.lastHeader()
		k.Src, k.Dst = p.ports(k.Proto, p.addr("ipv6.src"), p.addr("ipv6.dst"))
		k.Subtype = p.sub(k.Proto)
	}
	return summary(c, k, p.first("frame.len"))
}

func wantSummary(c *Case) string {
	return summary(c, c.Want.Key.Key(), c.Want.FrameBytes)
}

// summary omits what the capture does not contain.
func summary(c *Case, k flow.Key, frameLen uint64) string {
	if c.Tagged {
		k.VLAN = 0
	}
	ethernet := c.LinkType == packet.LinkTypeEthernet
	if !ethernet && k.EtherType != 0 && k.EtherType != flow.EtherTypeARP {
		k.EtherType = flow.EtherTypeRunt
	}
	if !ethernet || c.Tagged || c.Segments > 1 {
		frameLen = 0
	}
	return fmt.Sprintf("%+v frame_len=%d", k, frameLen)
}

func (p tsharkPacket) vlan() uint16 {
	id := "vlan.id"
	if p.first("eth.type") == 0x88a8 {
		id = "ieee8021ad.id"
		if len(p["ieee8021ad.svid"]) > 0 { // two 802.1ad tags
			id = "ieee8021ad.svid"
		}
	}
	return uint16(p.first(id))
}

// etherType returns the type after tags, Cisco metadata and PPPoE, as pktstat names it.
func (p tsharkPacket) etherType() flow.EtherType {
	if len(p["eth.type"]) == 0 {
		if len(p["frame.len"]) > 0 && p.first("frame.len") < 14 {
			return flow.EtherTypeRunt
		}
		return flow.EtherTypeLLC
	}
	types := p["eth.type"][:1]
	types = append(types, p["vlan.etype"]...)
	types = append(types, p["cmd.type"]...)
	switch p.first("ppp.protocol") {
	case 0x0021:
		types = append(types, "0x0800")
	case 0x0057:
		types = append(types, "0x86dd")
	case 0x0281:
		types = append(types, "0x8847")
	}
	n, err := strconv.ParseUint(types[len(types)-1], 0, 16)
	if err != nil {
		panic(err)
	}
	return flow.EtherType(n)
}

func (p tsharkPacket) ports(proto flow.Proto, src, dst netip.Addr) (s, d netip.AddrPort) {
	prefix := map[flow.Proto]string{
		flow.TCP: "tcp", flow.UDP: "udp", flow.UDPLite: "udp", flow.SCTP: "sctp", flow.DCCP: "dccp",
	}[proto]
	return netip.AddrPortFrom(src, uint16(p.first(prefix+".srcport"))),
		netip.AddrPortFrom(dst, uint16(p.first(prefix+".dstport")))
}

func (p tsharkPacket) sub(proto flow.Proto) uint32 {
	switch proto {
	case flow.ICMP:
		return uint32(p.first("icmp.type")<<8 | p.first("icmp.code"))
	case flow.ICMPv6:
		return uint32(p.first("icmpv6.type")<<8 | p.first("icmpv6.code"))
	case flow.GRE:
		const ack = 0x0080 // makes no flow of its own
		return uint32(p.first("gre.flags_and_version")&^ack<<16 | p.first("gre.proto"))
	case flow.IGMP:
		return uint32(p.first("igmp.type"))
	case flow.OSPF:
		return uint32(p.first("ospf.version")<<8 | p.first("ospf.msg"))
	case flow.ESP:
		return uint32(p.first("esp.spi"))
	case flow.AH:
		return uint32(p.first("ah.spi"))
	}
	return 0
}

// lastHeader follows the next-header fields as far as tshark has read them.
func (p tsharkPacket) lastHeader() flow.Proto {
	fields := map[flow.Proto]string{
		0: "ipv6.hopopts.nxt", 43: "ipv6.routing.nxt", 44: "ipv6.fraghdr.nxt", flow.AH: "ah.next_header",
		60: "ipv6.dstopts.nxt", 135: "mip6.proto", 139: "hip.proto", 140: "shim6.nxt",
	}
	read := map[string]int{}
	next := flow.Proto(p.first("ipv6.nxt"))
	for {
		field := fields[next]
		if field == "" || read[field] == len(p[field]) {
			return next
		}
		n, err := strconv.ParseUint(p[field][read[field]], 0, 8)
		if err != nil {
			panic(err)
		}
		read[field]++
		next = flow.Proto(n)
	}
}
