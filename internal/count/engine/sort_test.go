package engine

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/ledger"
	"github.com/pktstat/pktstat/internal/owner/ids"
	"github.com/pktstat/pktstat/registry"
)

func TestParseSort(t *testing.T) {
	for _, f := range flow.Fields.All() {
		for _, name := range append([]string{f.Name}, f.Aliases...) {
			got, err := ParseSort(name)
			if f.Derived {
				if err == nil {
					t.Errorf("%q is a derived field, but orders rows", name)
				}
			} else if err != nil || got != f {
				t.Errorf("%q: %v, %v", name, got, err)
			}
		}
	}
	_, err := ParseSort("size")
	if err == nil || !strings.Contains(err.Error(), "packets, bytes") || strings.Contains(err.Error(), "info") {
		t.Errorf("error for an unknown field: %v", err)
	}
}

// sortOwners are the owners of the rows, by number - 1.
var sortOwners = []flow.Owner{
	{PID: 30, Comm: "Curl", UID: 5, CgroupID: 3, Cgroup: "/a", Container: "docker:b"},
	{PID: 20, Comm: "sh", UID: 6, CgroupID: 1, Cgroup: "/C", Container: "docker:a"},
	{PID: 10, Comm: "bash", UID: 7, CgroupID: 2, Cgroup: "/b", Container: "docker:c"},
}

var sortInterfaces = []flow.Interface{{Index: 2, Name: "eth0"}, {Index: 3, Name: "Eth1"}, {Index: 12, Name: "dummy0"}}

// sortKeys are the test's rows, named by letters. The letters of rest have fewer packets than t,
// s and u, and each has fewer than the letter before.
var sortKeys = map[rune]flow.Key{
	'u': {
		Src: netip.MustParseAddrPort("10.0.0.1:90"), Dst: netip.MustParseAddrPort("10.0.0.9:1"),
		Proto: flow.UDP, VLAN: 9, Dir: flow.Egress, Ifindex: 3, NetNS: 7, OwnerID: 1,
	},
	't': {
		Src: netip.MustParseAddrPort("10.0.0.2:80"), Dst: netip.MustParseAddrPort("10.0.0.8:3"),
		Proto: flow.TCP, VLAN: 5, Dir: flow.Ingress, Ifindex: 2, NetNS: 8, OwnerID: 2,
	},
	's': {
		Src: netip.MustParseAddrPort("10.0.0.3:70"), Dst: netip.MustParseAddrPort("10.0.0.7:2"),
		Proto: flow.SCTP, Ifindex: 11, OwnerID: 3,
	},
	'e': {EtherType: 0x88cc},
	'f': {EtherType: 0x8863},
	'i': {Proto: flow.ICMP, Subtype: 8<<8 | 3},
	'j': {Proto: flow.ICMP, Subtype: 3<<8 | 8},
	'p': {Proto: flow.ESP, Subtype: 0x2000},
	'q': {Proto: flow.ESP, Subtype: 0x1000},
	'g': {Proto: flow.GRE, Subtype: 0x2001_0800, Ifindex: 12},
	'h': {Proto: flow.GRE, Subtype: 0x1002_6558},
	'm': {Proto: flow.IGMP, Subtype: 0x16},
	'n': {Proto: flow.IGMP, Subtype: 0x11},
	'o': {Proto: flow.OSPF, Subtype: 0x0301},
	'r': {Proto: flow.OSPF, Subtype: 0x0204},
	'a': {EtherType: flow.EtherTypeARP, Subtype: 2},
	'b': {EtherType: flow.EtherTypeARP, Subtype: 1},
}

const rest = "efijpqghabmnor"

// sortIntervals returns the records of two intervals. The order of rows differs between the two
// intervals and the run.
func sortIntervals() [2][]flow.Record {
	var recs [2][]flow.Record
	add := func(interval int, letter rune, c flow.Counters, retransmits uint64, first, last int64) {
		flags := map[rune]flow.TCPFlags{'u': flow.TCPSyn | flow.TCPAck, 't': flow.TCPSyn, 's': flow.TCPAck}[letter]
		match := map[rune]flow.Match{'u': flow.MatchExact, 't': flow.MatchPort, 's': flow.MatchNone}[letter]
		health := flow.Health{Retransmits: retransmits, RetransmitBytes: 10 * retransmits, Resets: retransmits, ConnectFailed: retransmits}
		recs[interval] = append(recs[interval], flow.Record{
			Key: flow.Pack(sortKeys[letter]), Counters: c, Health: health, First: first, Last: last, Marks: flow.Marks{Match: match, TCPFlags: flags},
			RTT:   map[rune]int64{'u': 30, 's': 20, 't': 10}[letter],
			RTTBy: map[rune]flow.RTTBy{'u': flow.RTTHandshake, 's': flow.RTTSynAck, 't': flow.RTTRefused}[letter],

			RetransmitsBy: map[rune]flow.RetransmitsBy{'u': flow.RetransmitsSequence, 't': flow.RetransmitsKernel}[letter],
		})
	}
	add(0, 'u', flow.Counters{Packets: 2000, Bytes: 50, FrameBytes: 3000}, 5, 5, 9)
	add(0, 't', flow.Counters{Packets: 10, Bytes: 2000, FrameBytes: 10}, 20, 6, 7)
	add(0, 's', flow.Counters{Packets: 5, Bytes: 1, FrameBytes: 5}, 0, 4, 8)
	add(1, 'u', flow.Counters{Packets: 100, Bytes: 900, FrameBytes: 914}, 5, 51, 59)
	add(1, 't', flow.Counters{Packets: 900, Bytes: 100, FrameBytes: 226}, 1, 52, 57)
	add(1, 's', flow.Counters{Packets: 500, Bytes: 500, FrameBytes: 2000}, 7, 53, 58)
	for i, letter := range rest {
		add(1, letter, flow.Counters{Packets: uint64(len(rest) - i)}, 0, 0, 0)
	}
	for i := range recs {
		rand.Shuffle(len(recs[i]), func(a, b int) { recs[i][a], recs[i][b] = recs[i][b], recs[i][a] })
	}
	return recs
}

// sortWant lists the rows that have the field, in order. A measure has two orders: in the
// interval and in the run.
var sortWant = map[string][]string{
	"proto": {"abpqefghijmnorstu"},
	"src":   {"uts"}, "src_port": {"stu"}, "dst": {"stu"}, "dst_port": {"ust"},
	"icmp_type": {"ji"}, "icmp_code": {"ij"}, "spi": {"qp"}, "gre_proto": {"gh"}, "arp_op": {"ba"}, "ethertype": {"fe"},
	"gre_flags": {"hg"}, "gre_version": {"gh"}, "igmp_type": {"nm"}, "ospf_version": {"ro"}, "ospf_type": {"or"},
	"subtype": {"banmrojiqphg"},
	"vlan":    {"tu"}, "direction": {"tu"}, "iface": {"gtus"}, "netns": {"ut"},
	"packets": {"tsu", "uts"}, "bytes": {"ust", "tus"}, "frame_bytes": {"sut", "ust"}, "retransmits": {"sut", "tus"},
	"retransmit_bytes": {"sut", "tus"}, "resets": {"sut", "tus"}, "connect_failed": {"sut", "tus"}, "retransmits_by": {"tu"},
	"bps": {"sut", "ust"}, "pps": {"tsu", "uts"},
	"first": {"sut"}, "last": {"ust"},
	"pid": {"stu"}, "comm": {"sut"}, "uid": {"uts"}, "cgroup_id": {"tsu"}, "cgroup": {"ust"}, "container": {"tus"},
	"match": {"uts"}, "tcp_flags": {"tsu"}, "tcp_state": {"sut", "ust"}, "rtt": {"ust"}, "rtt_by": {"uts"},
}

// TestSortFields: every field orders rows, by the numbers of the interval and of the run. Rows
// without the field come first, or last in a descending order.
func TestSortFields(t *testing.T) {
	for _, f := range flow.Fields.All() {
		if f.Derived || f.Undirected() || strings.HasPrefix(f.Name, "test_") {
			continue
		}
		want := sortWant[f.Name]
		if want == nil {
			t.Errorf("%s has no test", f.Name)
			continue
		}
		checkSort(t, f, flow.LayerFrame, want)
	}
	checkSort(t, nil, flow.LayerFrame, sortWant["bps"])
	checkSort(t, nil, flow.LayerIP, sortWant["bytes"])
}

func checkSort(t *testing.T, f *flow.Field, layer flow.Layer, want []string) {
	t.Helper()
	r := &run{
		c: &Config{Sort: f}, rate: layer, attachment: registry.Attachment{Interfaces: sortInterfaces},
	}
	v := &view{
		dims: flow.DimsFlow, ledger: ledger.New(flow.DimsFlow, 100, flow.Seed{1, 2}),
		grouped: ids.New(flow.DimsFlow|flow.DimComm|flow.DimContainer, 100),
	}
	for i := range sortOwners {
		if id := v.grouped.Number(&sortOwners[i]); id != uint32(i+1) {
			t.Fatalf("owner %d has number %d", i+1, id)
		}
	}
	letters := map[flow.Packed]string{}
	for letter, k := range sortKeys {
		letters[flow.Pack(k)] = string(letter)
	}
	intervals := sortIntervals()
	v.ledger.Merge(intervals[0])
	v.ledger.EndInterval()
	v.ledger.Merge(intervals[1])
	for i, span := range []ledger.Span{ledger.Interval, ledger.Run} {
		if span == ledger.Run {
			v.ledger.EndInterval()
		}
		var got string
		for _, row := range v.ledger.Select(span, 0, r.order(v, span)).Rows {
			got += letters[row.Key]
		}
		have := want[min(i, len(want)-1)]
		without := strings.Map(func(letter rune) rune {
			if strings.ContainsRune(have, letter) {
				return -1
			}
			return letter
		}, sortWant["packets"][i]+rest)
		all := without + have
		if r.c.sort().Descending() {
			all = have + without
		}
		if got != all {
			t.Errorf("by %s, layer %v, span %v: %s, want %s", r.c.sort().Name, layer, span, got, all)
		}
		for top := range len(got) { // the heap that selects the top rows agrees with the order
			var cut string
			for _, row := range v.ledger.Select(span, top+1, r.order(v, span)).Rows {
				cut += letters[row.Key]
			}
			if cut != got[:top+1] {
				t.Errorf("by %s, top %d: %s of %s", r.c.sort().Name, top+1, cut, got)
			}
		}
	}
}
