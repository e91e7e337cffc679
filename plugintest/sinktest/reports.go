package sinktest

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/pktstat/pktstat/flow"
)

// Golden is a run as an output gets it: interval reports, if any, and the final report.
type Golden struct {
	Name    string
	Reports []*flow.Report
}

// Goldens returns new copies of the shared runs, so that a test may change them.
func Goldens() []Golden {
	return []Golden{
		{"mixed", []*flow.Report{mixed()}},
		{"ipv6", []*flow.Report{longIPv6()}},
		{"sums", []*flow.Report{allSums()}},
		{"lost-unknown", []*flow.Report{lostUnknown()}},
		{"by-src", []*flow.Report{bySource()}},
		{"by-proto", []*flow.Report{byProto()}},
		{"by-port", []*flow.Report{byPort()}},
		{"sockets", []*flow.Report{sockets()}},
		{"processes", []*flow.Report{processes()}},
		{"by-container", []*flow.Report{byContainer()}},
		{"intervals", intervals()},
		{"empty", []*flow.Report{final("tc", "tcx")}},
		{"huge", []*flow.Report{huge()}},
		{"hostile", []*flow.Report{named(hostileNames)}},
		{"harmless", []*flow.Report{named(harmlessNames)}},
		{"links", []*flow.Report{stacked()}},
		{"conversations", []*flow.Report{conversations()}},
		{"by-host", []*flow.Report{hosts()}},
		{"by-service", []*flow.Report{services()}},
	}
}

func golden(name string) Golden {
	all := Goldens()
	return all[slices.IndexFunc(all, func(g Golden) bool { return g.Name == name })]
}

var testStart = time.Date(2026, 11, 22, 9, 30, 0, 123_000_000, time.UTC)

// origin returns the origin of the shared runs.
func origin() flow.Origin {
	return flow.Origin{
		Host: "web-3", Kernel: "6.12.0-test", Version: "v0.0.0-test",
		Args: []string{"-i", "eth0", "--note", "it's slow"}, Note: "it's slow",
	}
}

// final returns an empty final report of 10 s.
func final(backend, attach string) *flow.Report {
	return &flow.Report{
		Seq: 3, Final: true, Backend: backend, Attach: attach,
		Interfaces: []flow.Interface{{Index: 2, Name: "eth0"}}, Origin: origin(),
		Start: testStart, End: testStart.Add(10 * time.Second),
		Dims: flow.DimsFlow, Layers: flow.LayerIP | flow.LayerFrame, RateLayer: flow.LayerFrame,
	}
}

// add appends a row and adds it to the total.
func add(r *flow.Report, k flow.Key, packets, bytes, frameBytes uint64) {
	c := flow.Counters{Packets: packets, Bytes: bytes, FrameBytes: frameBytes}
	n := int64(len(r.Packed))
	p := flow.Pack(k)
	if p.L4Kind == flow.L4Subtype && r.Dims&flow.DimSubtype == 0 {
		p.L4Kind, p.L4 = flow.L4None, 0 // as the ledger has it
	}
	r.Packed = append(r.Packed, &flow.PackedRow{
		Key: p, Delta: c, Total: c,
		First: r.Start.UnixNano() + n*int64(time.Millisecond),
		Last:  r.End.UnixNano() - n*int64(time.Microsecond),
	})
	r.FlowCount++
	r.Total.Counters.Add(c)
}

// flagged sets the TCP flags of the last row.
func flagged(r *flow.Report, f flow.TCPFlags) { r.Packed[len(r.Packed)-1].TCPFlags = f }

// TCP flags of typical connections.
const (
	closedConn  = flow.TCPSyn | flow.TCPAck | flow.TCPPsh | flow.TCPFin
	refusedConn = flow.TCPRst | flow.TCPAck
	allFlags    = flow.TCPFlags(0xff)
)

// sums adds the counters that no row has to the total.
func sums(r *flow.Report, rest flow.Counters, overflow flow.Overflow, lost flow.Counters) {
	r.Rest.Counters, r.Lost.Counters, r.OverflowBy, r.Overflow.Counters = rest, lost, overflow, overflow.Total()
	for _, c := range []flow.Counters{rest, r.Overflow.Counters, lost} {
		r.Total.Counters.Add(c)
	}
}

// key returns an ingress key on interface 2. Addresses are written as "192.0.2.1:443".
func key(proto flow.Proto, src, dst string) flow.Key {
	return flow.Key{
		Src: netip.MustParseAddrPort(src), Dst: netip.MustParseAddrPort(dst),
		Proto: proto, Dir: flow.Ingress, Ifindex: 2,
	}
}

// mixed returns rows of every kind, on two interfaces and on one without a name.
func mixed() *flow.Report {
	r := final("tc", "tcx")
	r.Reason = "cheapest backend that sees both directions"
	r.Alternatives = []flow.Alternative{
		{Backend: "afpacket", Why: "works here too, cost: copy"}, {Backend: "xdp", Why: "egress is not seen"},
	}
	r.Interfaces = append(r.Interfaces, flow.Interface{Index: 5, Name: "wg0"})

	add(r, key(flow.TCP, "192.0.2.1:443", "192.0.2.2:50000"), 1200, 1_600_000, 1_616_800)
	flagged(r, closedConn)
	k := key(flow.UDP, "192.0.2.2:50001", "198.51.100.53:53")
	k.Dir, k.VLAN = flow.Egress, 7
	add(r, k, 90, 6300, 7920)
	add(r, key(flow.TCP, "[2001:db8::1]:443", "[2001:db8::2]:50002"), 60, 48_000, 48_840)
	flagged(r, refusedConn)
	k = key(flow.UDP, "198.51.100.9:0", "192.0.2.2:0") // later fragments
	k.Ifindex = 5
	add(r, k, 20, 29_600, 29_600)
	k = key(flow.ICMP, "192.0.2.2:0", "192.0.2.1:0")
	k.Dir, k.Subtype = flow.Egress, 8<<8
	add(r, k, 10, 840, 980)
	add(r, key(flow.ICMP, "192.0.2.1:0", "192.0.2.2:0"), 10, 840, 980) // echo reply: type 0, code 0
	k = key(flow.ICMPv6, "[fe80::1]:0", "[ff02::1:ff00:2]:0")
	k.Subtype = 135 << 8
	add(r, k, 3, 216, 258)
	k = key(flow.ICMP, "203.0.113.1:0", "192.0.2.2:0")
	k.Subtype = 3<<8 | 4
	add(r, k, 2, 1152, 1180)
	k = key(flow.GRE, "192.0.2.7:0", "192.0.2.8:0")
	k.Subtype, k.Ifindex = 0x0800, 99
	add(r, k, 5, 620, 690)
	k = key(flow.ESP, "192.0.2.7:0", "192.0.2.8:0")
	k.Subtype = 0x1000
	add(r, k, 4, 560, 616)
	k = key(0, "192.0.2.1:0", "192.0.2.2:0")
	k.EtherType, k.Subtype = flow.EtherTypeARP, 1
	add(r, k, 2, 0, 84)
	add(r, flow.Key{EtherType: flow.EtherTypeARP, Dir: flow.Ingress, Ifindex: 2}, 1, 0, 60) // ARP for other hardware or protocols than Ethernet and IPv4
	add(r, flow.Key{EtherType: 0x88cc, Dir: flow.Ingress, Ifindex: 2}, 1, 0, 217)
	k = key(flow.OSPF, "192.0.2.1:0", "224.0.0.5:0")
	k.Subtype = 0x0201
	add(r, k, 1, 64, 78)
	k = key(flow.IGMP, "192.0.2.2:0", "224.0.0.22:0")
	k.Subtype = 0x22
	add(r, k, 1, 40, 60)
	add(r, key(200, "192.0.2.1:0", "192.0.2.2:0"), 1, 40, 60)
	return r
}

func longIPv6() *flow.Report {
	r := final("tc", "tcx")
	add(r, key(flow.TCP, "[2001:db8:1111:2222:3333:4444:5555:6666]:50000", "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:443"), 100, 140_000, 141_400)
	k := key(flow.TCP, "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:443", "[2001:db8:1111:2222:3333:4444:5555:6666]:50000")
	k.Dir = flow.Egress
	add(r, k, 50, 3600, 4300)
	add(r, key(flow.UDP, "192.0.2.1:53", "192.0.2.2:50001"), 1, 120, 134)
	return r
}

// allSums returns a report with a value in every sum, as after --top.
func allSums() *flow.Report {
	r := final("xdp", "generic")
	r.PacketsInexact = true
	r.Notes = []string{"egress is not seen", "eth0: 2 packets were dropped by the driver"}
	add(r, key(flow.TCP, "192.0.2.1:443", "192.0.2.2:50000"), 1000, 1_000_000, 1_014_000)
	sums(r, flow.Counters{Packets: 500, Bytes: 250_000, FrameBytes: 257_000},
		flow.Overflow{flow.OverflowMaxFlows: {Packets: 30, Bytes: 3000, FrameBytes: 3420}, flow.OverflowTableFull: {Packets: 10, Bytes: 1000, FrameBytes: 1140}},
		flow.Counters{Packets: 3, Bytes: 180, FrameBytes: 222})
	r.FlowCount = 321
	return r
}

func lostUnknown() *flow.Report {
	r := final("afpacket", "tpacket_v3")
	r.LostBytesUnknown = true
	add(r, key(flow.UDP, "192.0.2.1:4000", "192.0.2.2:4000"), 10, 1000, 1140)
	sums(r, flow.Counters{}, flow.Overflow{}, flow.Counters{Packets: 7})
	return r
}

// projected returns the key of a row grouped by d.
func projected(k flow.Key, d flow.Dims) flow.Key {
	p, pr := flow.Pack(k), d.Projection()
	pr.Apply(&p)
	return p.Key()
}

func bySource() *flow.Report {
	r := final("tc", "clsact")
	r.Dims = flow.DimSrc
	for i, src := range []string{"192.0.2.1:443", "198.51.100.20:53", "[2001:db8::1]:22"} {
		k := key(flow.TCP, src, src)
		add(r, projected(k, r.Dims), uint64(100-i), uint64(9000-i), uint64(10_400-i))
		flagged(r, [...]flow.TCPFlags{allFlags, 0, flow.TCPSyn}[i]) // the second row has no TCP
	}
	add(r, projected(flow.Key{EtherType: 0x88cc}, r.Dims), 1, 0, 217)
	return r
}

func byProto() *flow.Report {
	r := final("tc", "tcx")
	r.Dims = flow.DimProto
	for i, k := range []flow.Key{
		{Proto: flow.TCP}, {Proto: flow.UDP}, {Proto: flow.ICMPv6}, {EtherType: flow.EtherTypeARP}, {EtherType: 0x88cc},
	} {
		add(r, projected(k, r.Dims), uint64(50-i), uint64(4000-i), uint64(4700-i))
	}
	return r
}

// byPort returns rows with ports and subtypes, but without the protocol that explains them.
func byPort() *flow.Report {
	r := final("tc", "tcx")
	r.Dims = flow.DimSrcPort | flow.DimSubtype
	add(r, projected(key(flow.TCP, "192.0.2.1:443", "192.0.2.2:50000"), r.Dims), 9, 900, 1026)
	k := key(flow.ICMP, "192.0.2.1:0", "192.0.2.2:0")
	k.Subtype = 8 << 8
	add(r, projected(k, r.Dims), 2, 168, 196)
	return r
}

// sockets returns rows of hooks that see no frames, but namespaces, processes and retransmits.
func sockets() *flow.Report {
	r := final("kprobe", "tracepoint")
	r.Layers, r.RateLayer, r.Interfaces = flow.LayerIP, flow.LayerIP, nil
	k := key(flow.TCP, "192.0.2.2:50000", "192.0.2.1:443")
	k.Dir, k.Ifindex, k.NetNS = flow.Egress, 0, 4026531833
	add(r, k, 11, 1500, 0)
	own(r, flow.Owner{PID: 1234, Start: 77e9, Comm: "curl", UID: 1000, CgroupID: 5<<32 | 77, Cgroup: "/user.slice/user-1000.slice"}, flow.MatchExact)
	k.Src, k.Dst, k.Dir = k.Dst, k.Src, flow.Ingress
	add(r, k, 9, 12_000, 0)
	own(r, flow.Owner{}, flow.MatchNone)
	r.Sides = []flow.Side{{Health: flow.Spans[flow.Health]{Delta: flow.Health{Retransmits: 3}, Total: flow.Health{Retransmits: 3}}}, {}}
	sums(r, flow.Counters{Packets: 20, Bytes: 2400}, flow.Overflow{flow.OverflowInterrupted: {Packets: 5, Bytes: 300}}, flow.Counters{})
	r.Total.Retransmits, r.Rest.Retransmits, r.Overflow.Retransmits = 10, 6, 1
	r.Run.Total.Retransmits = 10
	r.FlowCount = 6
	return r
}

// own sets the owner of the last row.
func own(r *flow.Report, o flow.Owner, m flow.Match) {
	row := r.Packed[len(r.Packed)-1]
	row.Match = m
	if o == (flow.Owner{}) {
		return
	}
	if r.Owners == nil {
		r.Owners = map[uint32]flow.Owner{}
	}
	row.Key.OwnerID = uint32(len(r.Owners) + 1)
	r.Owners[row.Key.OwnerID] = o
}

// processes returns rows of every match. One owner is root.
func processes() *flow.Report {
	r := final("tc", "tcx")
	add(r, key(flow.TCP, "192.0.2.1:443", "192.0.2.2:50000"), 1200, 1_600_000, 1_616_800)
	own(r, flow.Owner{PID: 4711, Start: 5e9, Comm: "curl", UID: 1000, CgroupID: 77, Cgroup: "/user.slice"}, flow.MatchExact)
	add(r, key(flow.UDP, "198.51.100.9:40000", "192.0.2.2:53"), 400, 24_000, 29_600)
	own(r, flow.Owner{PID: 812, Start: 4e9, Comm: "named", CgroupID: 78, Cgroup: "/system.slice/named.service", Container: "systemd:named.service"}, flow.MatchPort)
	add(r, key(flow.TCP, "198.51.100.9:40001", "192.0.2.2:80"), 30, 24_000, 24_420)
	own(r, flow.Owner{PID: 901, Start: 6e9, Comm: "nginx", UID: 33, CgroupID: 79, Cgroup: "/docker/0123", Container: "docker:web"}, flow.MatchShared)
	k := key(flow.ICMP, "198.51.100.9:0", "192.0.2.2:0")
	k.Subtype = 8 << 8
	add(r, k, 3, 252, 294)
	own(r, flow.Owner{}, flow.MatchKernel)
	add(r, key(flow.TCP, "198.51.100.9:40002", "203.0.113.1:443"), 2, 120, 148)
	own(r, flow.Owner{}, flow.MatchNone)
	return r
}

// byContainer returns rows with and without a container.
func byContainer() *flow.Report {
	r := final("tc", "tcx")
	r.Dims = flow.DimContainer | flow.DimComm
	add(r, flow.Key{}, 900, 81_000, 93_600)
	own(r, flow.Owner{Comm: "nginx", Container: "docker:web"}, flow.MatchShared)
	add(r, flow.Key{}, 30, 2000, 2420)
	own(r, flow.Owner{Comm: "sshd"}, flow.MatchExact)
	add(r, flow.Key{}, 20, 1000, 1280)
	own(r, flow.Owner{}, flow.MatchNone)
	return r
}

// intervals returns a run of two intervals. The second one is short and empty.
func intervals() []*flow.Report {
	first, second, last := final("pcap", "file"), final("pcap", "file"), final("pcap", "file")
	for i, r := range []*flow.Report{first, second, last} {
		r.Seq, r.Final, r.Interfaces, r.Files = uint64(i+1), r == last, nil, []string{"trace.pcap"}
		r.Origin.Args, r.Origin.Note = []string{"--pcap-file", "trace.pcap"}, ""
	}
	first.End = testStart.Add(time.Second)
	second.Start, second.End = first.End, first.End.Add(250*time.Millisecond)
	last.End = second.End

	k := key(flow.TCP, "192.0.2.1:443", "192.0.2.2:50000")
	k.Dir, k.Ifindex = flow.DirUnknown, 0
	for _, r := range []*flow.Report{first, last} {
		add(r, k, 10, 15_000, 15_140)
		flagged(r, closedConn)
		sums(r, flow.Counters{}, flow.Overflow{flow.OverflowMaxFlows: {Packets: 1, Bytes: 40, FrameBytes: 60}}, flow.Counters{})
	}
	for _, r := range []*flow.Report{first, second, last} {
		r.Run = last.Sums
	}
	return []*flow.Report{first, second, last}
}

// huge returns a report with the largest counters, over a nanosecond.
func huge() *flow.Report {
	r := final("tc", "tcx")
	r.Seq, r.End = math.MaxUint64, r.Start.Add(time.Nanosecond)
	r.Interfaces[0].Index = math.MaxUint32
	k := key(flow.UDP, "255.255.255.255:65535", "255.255.255.255:65535")
	k.Ifindex, k.VLAN, k.NetNS = math.MaxUint32, 4095, math.MaxUint32
	add(r, k, math.MaxUint64, math.MaxUint64, math.MaxUint64)
	own(r, flow.Owner{PID: math.MaxUint32, Start: math.MaxUint64, Comm: "fifteen_letters", UID: math.MaxUint32, CgroupID: math.MaxUint64}, flow.MatchShared)
	r.FlowCount = math.MaxInt
	return r
}

// Names that a terminal, a spreadsheet or a parser may act on. harmlessNames are their harmless
// counterparts.
var (
	hostileNames = []string{
		"\x1b[2J\x1b]0;owned\a", "=cmd|' /C calc'!A0", "new\nline,\"quoted\"\r\n", "\u202egpj.exe\u2066",
		"bad\xff\xfeutf8", "\u009b31mC1", "a b\tc", `back\slash`, "-1+2", "＝1", "zero\u200bwidth", "",
	}
	harmlessNames = []string{
		"eth0", "eth1", "eth2", "eth3", "eth4", "eth5", "eth6", "eth7", "eth8", "eth9", "eth10", "eth11",
	}
)

func named(names []string) *flow.Report {
	r := final(names[0], names[1])
	r.Reason, r.Notes, r.Interfaces = names[2], []string{names[0], names[2], names[3]}, nil
	r.Origin = flow.Origin{Host: names[0], Kernel: names[2], Version: names[3], Args: []string{names[0], names[2], names[4]}, Note: names[2]}
	r.Alternatives = []flow.Alternative{{Backend: names[0], Why: names[2]}, {Backend: names[3], Why: names[3]}}
	for i, name := range names {
		k := key(flow.UDP, "192.0.2.1:1000", "192.0.2.2:2000")
		k.Ifindex = uint32(i + 1)
		r.Interfaces = append(r.Interfaces, flow.Interface{Index: k.Ifindex, Name: name})
		add(r, k, uint64(100-i), 2800, 4200)
		r.Links = append(r.Links, flow.Link{
			Interface: r.Interfaces[i], StackedOn: []string{name, names[3]},
			Counters: flow.Counters{Packets: uint64(100 - i), Bytes: 2800, FrameBytes: 4200},
		})
		name = cmp.Or(name, "-") // outputs write an empty name as "-"
		own(r, flow.Owner{PID: uint32(i + 1), Comm: name, CgroupID: uint64(i + 1), Cgroup: name, Container: name}, flow.MatchExact)
	}
	return r
}

// ManyFlows returns a final report of n flows for benchmarks: TCP and UDP over IPv4 and IPv6,
// with long times and counters.
func ManyFlows(n int) *flow.Report {
	r := final("tc", "tcx")
	for i := range n {
		k := key(flow.TCP, "192.0.2.1:443", "198.51.100.1:50000")
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		if i%4 == 0 {
			b := netip.MustParseAddr("2001:db8:1:2:3:4::").As16()
			b[13], b[14], b[15] = byte(i>>16), byte(i>>8), byte(i)
			a = netip.AddrFrom16(b)
			k.Dst = netip.AddrPortFrom(netip.MustParseAddr("2001:db8::ffff:1"), 443)
		}
		k.Src = netip.AddrPortFrom(a, uint16(i%60000+1024))
		if i%3 == 0 {
			k.Proto, k.Dir = flow.UDP, flow.Egress
		}
		packets := uint64(n-i) * 7
		add(r, k, packets, packets*731, packets*745)
	}
	return r
}

// manyFlows returns a run that is larger than any buffer.
func manyFlows() Golden {
	return Golden{"many flows", []*flow.Report{ManyFlows(1000)}}
}
