package rowfields

import (
	"net/netip"
	"testing"

	"github.com/pktstat/pktstat/flow"
)

func key(src, dst string, p flow.Proto) flow.Key {
	k := flow.Key{Proto: p}
	if src != "" {
		k.Src, k.Dst = netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst)
	}
	return k
}

func with(k flow.Key, f func(*flow.Key)) flow.Key {
	f(&k)
	return k
}

func TestOf(t *testing.T) {
	const v4, v6 = "192.0.2.1:0", "[2001:db8::1]:0"
	addrs := Proto | Src | Dst
	for _, c := range []struct {
		name string
		key  flow.Key
		dims flow.Dims
		want Set
		info string
	}{
		{"tcp", key("192.0.2.1:443", "192.0.2.2:50000", flow.TCP), flow.DimsFlow, addrs | SrcPort | DstPort, ""},
		{"fragment without ports", key(v4, v4, flow.UDP), flow.DimsFlow, addrs, ""},
		{"echo reply", key(v4, v4, flow.ICMP), flow.DimsFlow, addrs | ICMP, "echo-reply"},
		{"port unreachable", with(key(v4, v4, flow.ICMP), sub(3<<8|3)), flow.DimsFlow, addrs | ICMP, "unreachable/3"},
		{"unassigned type", with(key(v4, v4, flow.ICMP), sub(200<<8|1)), flow.DimsFlow, addrs | ICMP, "type 200/1"},
		{"icmpv6", with(key(v6, v6, flow.ICMPv6), sub(135<<8)), flow.DimsFlow, addrs | ICMP, "neighbor-solicit"},
		{"icmpv6 cut short", key(v6, v6, flow.ICMPv6), flow.DimsFlow, addrs, ""},
		{"esp", with(key(v4, v4, flow.ESP), sub(0x1000)), flow.DimsFlow, addrs | SPI, "spi 0x00001000"},
		{"ah cut short", key(v4, v4, flow.AH), flow.DimsFlow, addrs, ""},
		{"gre", with(key(v4, v4, flow.GRE), sub(0x0800)), flow.DimsFlow, addrs | GREProto, "IPv4 0x0800"},
		{"arp", with(key(v4, v4, 0), func(k *flow.Key) { k.EtherType, k.Subtype = flow.EtherTypeARP, 1 }), flow.DimsFlow, addrs | ARPOp, "who-has"},
		{"arp of another kind", with(key("", "", 0), func(k *flow.Key) { k.EtherType = flow.EtherTypeARP }), flow.DimsFlow, Proto, ""},
		{"arp by proto", with(key("", "", 0), func(k *flow.Key) { k.EtherType = flow.EtherTypeARP }), flow.DimProto, Proto, ""},
		{"eth", with(key("", "", 0), func(k *flow.Key) { k.EtherType = 0x88cc }), flow.DimsFlow, Proto | EtherType, "LLDP 0x88cc"},
		{"eth of unknown type", with(key("", "", 0), func(k *flow.Key) { k.EtherType = 0x1234 }), flow.DimsFlow, Proto | EtherType, "0x1234"},
		{"by src", key("192.0.2.1:0", "0.0.0.0:0", 0), flow.DimSrc, Src, ""},
		{"by sub without proto", with(key("", "", 0), sub(0x0800)), flow.DimSubtype, Subtype, "subtype 0x800"},
		{"by ports only", with(key("", "", 0), func(k *flow.Key) {
			k.Src = netip.AddrPortFrom(netip.Addr{}, 53)
		}), flow.DimSrcPort | flow.DimDstPort, SrcPort, ""},
		{"all the rest", with(key("", "", 0), func(k *flow.Key) {
			k.Dir, k.Ifindex, k.VLAN, k.NetNS = flow.Egress, 1, 2, 3
		}), flow.DimsFlow, Proto | Dir | Iface | VLAN | NetNS, ""},
	} {
		row := flow.Row{Key: c.key}
		got := Of(c.dims, &row)
		if got != c.want {
			t.Errorf("%s: fields %b, want %b", c.name, got, c.want)
		}
		if info := got.Info(&row); info != c.info {
			t.Errorf("%s: info %q, want %q", c.name, info, c.info)
		}
	}
}

// TestOwner: what follows from what rows are grouped by is there, the rest is not.
func TestOwner(t *testing.T) {
	all := flow.Owner{PID: 4, Comm: "sh", CgroupID: 5, Cgroup: "/x", Container: "docker:x"}
	for _, c := range []struct {
		dims  flow.Dims
		owner flow.Owner
		match flow.Match
		want  Set
	}{
		{flow.DimPID, all, flow.MatchExact, PID | UID | Comm | CgroupID | Cgroup | Container | Match},
		{flow.DimPID, flow.Owner{PID: 4}, flow.MatchPort, PID | UID | Match},
		{flow.DimComm, all, flow.MatchShared, Comm | Match},
		{flow.DimCgroup, all, flow.MatchExact, CgroupID | Cgroup | Container | Match},
		{flow.DimContainer, all, flow.MatchExact, Container | Match},
		{flow.DimSrcPort, all, flow.MatchNone, Match},
		{flow.DimPID, flow.Owner{}, flow.MatchKernel, Match},
		{flow.DimPID, flow.Owner{}, flow.MatchUnset, 0},
	} {
		if got := Of(c.dims, &flow.Row{Owner: c.owner, Match: c.match}); got != c.want {
			t.Errorf("by %v, %+v: %b, want %b", c.dims, c.owner, got, c.want)
		}
	}
}

func sub(v uint32) func(*flow.Key) { return func(k *flow.Key) { k.Subtype = v } }

func TestIfaceName(t *testing.T) {
	for _, c := range []struct {
		row  flow.Row
		want string
	}{
		{flow.Row{Iface: "eth0", Key: flow.Key{Ifindex: 2}}, "eth0"},
		{flow.Row{Key: flow.Key{Ifindex: 7}}, "if7"},
		{flow.Row{}, ""},
	} {
		if got := IfaceName(&c.row); got != c.want {
			t.Errorf("IfaceName(%d) = %q, want %q", c.row.Ifindex, got, c.want)
		}
	}
}

func TestAppendHex16(t *testing.T) {
	for _, v := range []uint16{0, 4, 0x0806, 0x88cc, 0xffff} {
		if got, want := string(AppendHex16(nil, v)), flow.EtherType(v).String(); got != want {
			t.Errorf("AppendHex16(%d) = %q, want %q", v, got, want)
		}
	}
}
