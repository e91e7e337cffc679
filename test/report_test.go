package test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/corpus"
	"github.com/pktstat/pktstat/internal/test/testnet"
	"github.com/pktstat/pktstat/registry"
)

// report is a report (pktstat.report/v1) as other programs read it.
type report struct {
	Schema                      string
	Final                       bool
	Seq                         uint64
	Backend, Attach             string
	Interfaces                  []string
	Start, End                  time.Time
	Duration                    float64 `json:"duration_s"`
	Total, Overflow, Lost, Rest counters
	Links                       []linkRow
	LinkTotal                   *counters `json:"link_total"`
	FlowCount                   int       `json:"flow_count"`
	Flows                       []row
}

// linkRow is the counters of an interface.
type linkRow struct {
	Iface     string
	StackedOn []string `json:"stacked_on"`
	counters
}

// stacked returns the interfaces below each interface, as a list of names.
func (r *report) stacked() map[string]string {
	m := map[string]string{}
	for _, l := range r.Links {
		m[l.Iface] = strings.Join(l.StackedOn, " ")
	}
	return m
}

type counters struct {
	Packets, Bytes uint64
	FrameBytes     uint64 `json:"frame_bytes"`
}

func (c counters) flow() flow.Counters { return flow.Counters(c) }

type row struct {
	id
	Direction, Iface string
	counters
	TCPFlags    string `json:"tcp_flags"`
	BPS         float64
	First, Last time.Time
}

// id identifies a flow, independently of where it was seen.
type id struct {
	Proto     string
	Src, Dst  netip.Addr
	SrcPort   uint16 `json:"src_port"`
	DstPort   uint16 `json:"dst_port"`
	ICMPType  uint8  `json:"icmp_type"`
	ICMPCode  uint8  `json:"icmp_code"`
	SPI       uint32
	ARPOp     uint16 `json:"arp_op"`
	EtherType string
	VLAN      uint16
	corpus.Subtype
}

// passage is a flow in one direction through an interface.
type passage struct {
	id
	direction string
}

// passageOf returns the passage of a flow, as the sender knows it.
func passageOf(k *flow.Key) passage { return passage{idOf(k), k.Dir.String()} }

// idOf returns the id of a flow, as the sender knows it.
func idOf(k *flow.Key) id {
	i := id{
		Proto: k.Protocol(), Src: k.Src.Addr(), Dst: k.Dst.Addr(),
		SrcPort: k.Src.Port(), DstPort: k.Dst.Port(), VLAN: k.VLAN,
	}
	switch {
	case k.EtherType == flow.EtherTypeARP:
		i.ARPOp = uint16(k.Subtype)
	case k.EtherType != 0:
		i.EtherType = k.EtherType.String()
	case k.Proto == flow.ICMP || k.Proto == flow.ICMPv6:
		i.ICMPType, i.ICMPCode = uint8(k.Subtype>>8), uint8(k.Subtype)
	case k.Proto == flow.ESP || k.Proto == flow.AH:
		i.SPI = k.Subtype
	default:
		i.Subtype = corpus.SubtypeOf(k.Proto, k.Subtype)
	}
	return i
}

func parseReport(t *testing.T, text []byte) *report {
	t.Helper()
	r := decodeReport(t, text)
	if r.End.Before(r.Start) {
		t.Errorf("from %s to %s in %v s", r.Start, r.End, r.Duration)
	}
	return r
}

// decodeReport is parseReport for a clock that may have been set back.
func decodeReport(t *testing.T, text []byte) *report {
	t.Helper()
	r := new(report)
	if err := json.Unmarshal(text, r); err != nil {
		t.Fatalf("report: %v\n%s", err, text)
	}
	if r.Schema != "pktstat.report/v1" {
		t.Errorf("schema %q", r.Schema)
	}
	r.checkSums(t)
	return r
}

func readReport(t *testing.T, path string) *report {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return parseReport(t, text)
}

// checkSums checks the sums that hold in every report.
func (r *report) checkSums(t *testing.T) {
	t.Helper()
	var sum flow.Counters
	for _, f := range r.Flows {
		sum.Add(f.counters.flow())
	}
	for _, c := range []counters{r.Rest, r.Overflow, r.Lost} {
		sum.Add(c.flow())
	}
	if r.Links != nil {
		r.checkLinks(t)
	}
	if sum != r.Total.flow() {
		t.Errorf("flows + rest + overflow + lost is %+v, total %+v", sum, r.Total)
	}
	if r.Duration < 0 {
		t.Errorf("from %s to %s in %v s", r.Start, r.End, r.Duration)
	}
}

// checkLinks: the flows of an interface add up to the interface's counters. link_total counts no
// packet twice.
func (r *report) checkLinks(t *testing.T) {
	t.Helper()
	var links, rows, alone, other flow.Counters
	for i := range r.Links {
		l := &r.Links[i]
		links.Add(l.counters.flow())
		if l.StackedOn == nil {
			alone.Add(l.counters.flow())
		}
	}
	for _, f := range r.Flows {
		rows.Add(f.counters.flow())
	}
	rows.Add(r.Rest.flow())
	other.Add(r.Overflow.flow())
	if most := links.Minus(rows); most.Packets > other.Packets || rows.Packets > links.Packets {
		t.Errorf("links add up to %+v, flows to %+v", links, rows)
	}
	if r.LinkTotal == nil || r.LinkTotal.Packets < alone.Packets || r.LinkTotal.Packets > links.Packets {
		t.Errorf("link total is %+v, of %+v", r.LinkTotal, r.Links)
	}
}

// byDirection adds up the rows of a direction.
func (r *report) byDirection(dir string) flow.Counters {
	var sum flow.Counters
	for _, f := range r.Flows {
		if f.Direction == dir {
			sum.Add(f.counters.flow())
		}
	}
	return sum
}

// byID adds up the rows by flow.
func (r *report) byID() sums[id] {
	m := sums[id]{}
	for _, f := range r.Flows {
		m.add(f.id, f.counters.flow())
	}
	return m
}

// byPassage adds up the rows by flow and direction.
func (r *report) byPassage() sums[passage] {
	m := sums[passage]{}
	for _, f := range r.Flows {
		m.add(passage{f.id, f.Direction}, f.counters.flow())
	}
	return m
}

type sums[K comparable] map[K]flow.Counters

func (s sums[K]) add(k K, c flow.Counters) {
	sum := s[k]
	sum.Add(c)
	s[k] = sum
}

// checkFlows checks that each sent flow was counted exactly.
func checkFlows(t *testing.T, got sums[passage], sent []testnet.Flow) {
	t.Helper()
	for i := range sent {
		f := &sent[i]
		if c := got[passageOf(&f.Key)]; c != f.Counters {
			t.Errorf("%s: counted %+v, sent %+v", describe(&f.Key), c, f.Counters)
		}
	}
}

func describe(k *flow.Key) string {
	return fmt.Sprintf("%s %s %s > %s sub %#x", k.Dir, k.Protocol(), k.Src, k.Dst, k.Subtype)
}

// checkCrossed compares the sums of each direction with the interface's counters. It skips a
// direction that the backend does not see.
func checkCrossed(t *testing.T, caps registry.Caps, ingress, egress flow.Counters, iface testnet.Stats) {
	t.Helper()
	if !caps.Has(registry.CapIngress) {
		iface.RxPackets, iface.RxBytes = 0, 0
	}
	if !caps.Has(registry.CapEgress) {
		iface.TxPackets, iface.TxBytes = 0, 0
	}
	if ingress.Packets != iface.RxPackets || ingress.FrameBytes != iface.RxBytes {
		t.Errorf("ingress: %d packets and %d bytes of frames counted, the interface received %d and %d",
			ingress.Packets, ingress.FrameBytes, iface.RxPackets, iface.RxBytes)
	}
	if egress.Packets != iface.TxPackets || egress.FrameBytes != iface.TxBytes {
		t.Errorf("egress: %d packets and %d bytes of frames counted, the interface sent %d and %d",
			egress.Packets, egress.FrameBytes, iface.TxPackets, iface.TxBytes)
	}
}
