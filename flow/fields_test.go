package flow

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// fieldsOf returns the names of the fields that the row has in a report grouped by dims. It
// leaves out the fields that every row has.
func fieldsOf(dims Dims, row *Row) string {
	var names []string
	for _, f := range Fields.Written(dims) {
		if f.Role != Rate && f.Role != When && (f.Role != Measure || f.Sparse) && f.Has(row) {
			names = append(names, f.Name)
		}
	}
	return strings.Join(names, " ")
}

// TestRowFields: the key and the dimensions determine which fields a row has.
func TestRowFields(t *testing.T) {
	const v4, v6 = "192.0.2.1:0", "[2001:db8::1]:0"
	key := func(src, dst string, p Proto, sub uint32) Key {
		return Key{Src: netip.MustParseAddrPort(src), Dst: netip.MustParseAddrPort(dst), Proto: p, Subtype: sub}
	}
	arp := func(src string, op uint32) Key {
		k := Key{EtherType: EtherTypeARP, Subtype: op}
		if src != "" {
			k.Src, k.Dst = netip.MustParseAddrPort(src), netip.MustParseAddrPort(src)
		}
		return k
	}
	for _, c := range []struct {
		name string
		key  Key
		dims Dims
		want string
		info string
	}{
		{"tcp", key("192.0.2.1:443", "192.0.2.2:50000", TCP, 0), DimsFlow, "proto src src_port dst dst_port", ""},
		{"fragment without ports", key(v4, v4, UDP, 0), DimsFlow, "proto src dst", ""},
		{"echo reply", key(v4, v4, ICMP, 0), DimsFlow, "proto src dst icmp_type icmp_code", "echo-reply"},
		{"port unreachable", key(v4, v4, ICMP, 3<<8|3), DimsFlow, "proto src dst icmp_type icmp_code", "unreachable/3"},
		{"unassigned type", key(v4, v4, ICMP, 200<<8|1), DimsFlow, "proto src dst icmp_type icmp_code", "type 200/1"},
		{"icmp by proto", key(v4, v4, ICMP, 3<<8|3), DimProto, "proto", ""},
		{"icmpv6", key(v6, v6, ICMPv6, 135<<8), DimsFlow, "proto src dst icmp_type icmp_code", "neighbor-solicit"},
		{"icmpv6 cut short", key(v6, v6, ICMPv6, 0), DimsFlow, "proto src dst", ""},
		{"esp", key(v4, v4, ESP, 0x1000), DimsFlow, "proto src dst spi", "spi 0x00001000"},
		{"ah", key(v4, v4, AH, 0x1000), DimsFlow, "proto src dst spi", "spi 0x00001000"},
		{"ah cut short", key(v4, v4, AH, 0), DimsFlow, "proto src dst", ""},
		{"gre", key(v4, v4, GRE, 0x0800), DimsFlow, "proto src dst gre_proto gre_flags gre_version", "IPv4 0x0800"},
		{"gre of pptp", key(v4, v4, GRE, 0x3001_880b), DimsFlow, "proto src dst gre_proto gre_flags gre_version", "PPP 0x880b, v1 flags 0x3000"},
		{"igmp", key(v4, v4, IGMP, 0x16), DimsFlow, "proto src dst igmp_type", "v2-report"},
		{"ospf", key(v4, v4, OSPF, 0x0201), DimsFlow, "proto src dst ospf_version ospf_type", "v2 hello"},
		{"ospf of tomorrow", key(v6, v6, OSPF, 0x0309), DimsFlow, "proto src dst ospf_version ospf_type", "v3 type 9"},
		{"arp", arp(v4, 1), DimsFlow, "proto src dst arp_op", "who-has"},
		{"arp of an unknown operation", arp(v4, 9), DimsFlow, "proto src dst arp_op", "op 9"},
		{"arp of another kind", arp("", 0), DimsFlow, "proto", ""},
		{"arp by proto", arp("", 1), DimProto, "proto", ""},
		{"eth", Key{EtherType: 0x88cc}, DimsFlow, "proto ethertype", "LLDP 0x88cc"},
		{"eth of unknown type", Key{EtherType: 0x1234}, DimsFlow, "proto ethertype", "0x1234"},
		{"by src", key("192.0.2.1:0", "0.0.0.0:0", 0, 0), DimSrc, "src", ""},
		{"by sub without proto", key(v4, v4, ICMP, 0x0800), DimSubtype, "subtype", "subtype 0x800"},
		{"by ports only", Key{Proto: UDP, Src: netip.AddrPortFrom(netip.Addr{}, 53)}, DimSrcPort | DimDstPort, "src_port", ""},
		{"all the rest", Key{Dir: Egress, Ifindex: 1, VLAN: 2, NetNS: 3}, DimsFlow, "proto vlan direction iface netns", ""},
	} {
		p, projection := Pack(c.key), c.dims.Projection()
		projection.Apply(&p)
		packed := PackedRow{Key: p}
		row := packed.Readable()
		if got := fieldsOf(c.dims, &row); got != c.want {
			t.Errorf("%s: fields %s, want %s", c.name, got, c.want)
		}
		info, got := Fields.Find("info"), ""
		if info.In(c.dims) && info.Has(&row) {
			got = info.Text(&row)
		}
		if got != c.info {
			t.Errorf("%s: info %q, want %q", c.name, got, c.info)
		}
	}
}

// TestOwnerFields: a row has the owner's fields that its dimensions determine, and no others.
func TestOwnerFields(t *testing.T) {
	all := Owner{PID: 4, Comm: "sh", CgroupID: 5, Cgroup: "/x", Container: "docker:x"}
	for _, c := range []struct {
		dims  Dims
		owner Owner
		match Match
		want  string
	}{
		{DimPID, all, MatchExact, "pid comm uid cgroup_id cgroup container match"},
		{DimPID, Owner{PID: 4}, MatchPort, "pid uid match"},
		{DimComm, all, MatchShared, "comm match"},
		{DimCgroup, all, MatchExact, "cgroup_id cgroup container match"},
		{DimContainer, all, MatchExact, "container match"},
		{DimSrcPort, all, MatchNone, "match"},
		{DimPID, Owner{}, MatchKernel, "match"},
		{DimPID, Owner{}, MatchUnset, ""},
	} {
		if got := fieldsOf(c.dims, &Row{Owner: c.owner, Marks: Marks{Match: c.match}}); got != c.want {
			t.Errorf("by %v, %+v: %s, want %s", c.dims, c.owner, got, c.want)
		}
	}
}

// TestSparse: a sparse measure of 0 is left out.
func TestSparse(t *testing.T) {
	if got := fieldsOf(DimSrcPort, &Row{Totals: Totals{Health: Health{Retransmits: 1}}}); got != "retransmits" {
		t.Errorf("fields %s, want retransmits", got)
	}
}

func TestTotals(t *testing.T) {
	out, in := Counters{1, 10, 12}, Counters{4, 40, 48}
	a := Totals{Counters: Counters{Packets: 5, Bytes: 50, FrameBytes: 60}, Health: Health{3, 300, 7, 9}, Out: out, In: in}
	b := Totals{Counters: Counters{Packets: 2, Bytes: 20, FrameBytes: 30}, Health: Health{1, 100, 2, 4}, In: Counters{2, 20, 30}}
	sum := a
	sum.Add(b)
	if want := (Totals{Counters{Packets: 7, Bytes: 70, FrameBytes: 90}, Health{4, 400, 9, 13}, out, Counters{6, 60, 78}}); sum != want || sum.Minus(b) != a {
		t.Errorf("sum %+v, want %+v; less b %+v", sum, want, sum.Minus(b))
	}
	if !(Totals{}).IsZero() || (Totals{Health: Health{Resets: 1}}).IsZero() || (Totals{Counters: Counters{FrameBytes: 1}}).IsZero() {
		t.Error("IsZero ignores a number")
	}
	for _, more := range []Health{{Retransmits: 1}, {RetransmitBytes: 1}, {Resets: 1}, {ConnectFailed: 1}} {
		if more.Within(Health{}) || more.IsZero() || !more.Within(more) {
			t.Errorf("%+v is within nothing", more)
		}
	}
}

// TestSummary: the lines below the rows are in order, and empty ones are recognized.
func TestSummary(t *testing.T) {
	r := &Report{FlowCount: 5, Packed: make([]*PackedRow, 2)}
	r.Rest, r.Overflow, r.Lost = Totals{Health: Health{Retransmits: 1}}, Totals{Health: Health{Retransmits: 2}}, Totals{Health: Health{Retransmits: 3}}
	r.Total, r.LostBytesUnknown = Totals{Health: Health{Retransmits: 6}}, true
	want := []Sum{
		{Name: "rest", Totals: r.Rest, Rows: 3}, {Name: "overflow", Totals: r.Overflow},
		{Name: "lost", Totals: r.Lost, BytesUnknown: true}, {Name: "total", Totals: r.Total, Rows: 5},
	}
	if got := slices.Collect(r.Summary()); !slices.Equal(got, want) {
		t.Errorf("lines %+v, want %+v", got, want)
	}
	for i := range want {
		if want[i].IsEmpty() {
			t.Errorf("%+v is empty", want[i])
		}
	}
	for s := range r.Summary() {
		if s.Name == "overflow" {
			break // must not go on
		}
	}
	var said []string
	for s := range (&Report{FlowCount: 1, Packed: make([]*PackedRow, 2)}).Summary() {
		if s.Rows < 0 {
			t.Errorf("%s has %d rows", s.Name, s.Rows)
		}
		if !s.IsEmpty() {
			said = append(said, s.Name)
		}
	}
	if len(said) != 1 || said[0] != "total" {
		t.Errorf("the lines %q of an empty report are not empty", said)
	}
	for _, s := range []Sum{{Name: "rest", Rows: 1}, {Name: "lost", BytesUnknown: true}, {Name: "overflow", Totals: Totals{Health: Health{Retransmits: 1}}}} {
		if s.IsEmpty() {
			t.Errorf("%+v is empty", s)
		}
	}
}
