package reportjson

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/corpus"
	"github.com/pktstat/pktstat/plugintest/sinktest"
)

// Field names in the order of the schema.
var (
	reportFields = strings.Fields(`schema final seq host kernel version note args source backend attach reason alternatives interfaces start end duration_s by sort rate_layer
		packets_exact notes total overflow overflow_by lost rest links link_total coverage row_count flow_count flows`)
	flowFields = strings.Fields(`proto src src_port dst dst_port local local_port remote remote_port host port icmp_type icmp_code spi gre_proto gre_flags gre_version igmp_type ospf_version ospf_type arp_op subtype ethertype vlan
		direction iface netns packets bytes frame_bytes out in retransmits retransmit_bytes resets connect_failed tcp_flags ends_by retransmits_by rtt rtt_by tcp_state bps pps first last pid comm uid cgroup_id cgroup container match`)
)

type jsonCounters struct {
	Packets      *uint64 `json:"packets"`
	Bytes        *uint64 `json:"bytes"`
	FrameBytes   *uint64 `json:"frame_bytes"`
	BytesUnknown bool    `json:"bytes_unknown"`
	Out, In      *jsonEnd
}

// jsonSum is jsonCounters for a sum.
type jsonSum struct {
	jsonCounters
	jsonHealth
}

// jsonHealth is [flow.Health]: what is 0 is left out.
type jsonHealth struct {
	Retransmits     *uint64
	RetransmitBytes *uint64 `json:"retransmit_bytes"`
	Resets          *uint64
	ConnectFailed   *uint64 `json:"connect_failed"`
}

// is reports whether the numbers equal h.
func (j *jsonHealth) is(h flow.Health) bool {
	same := true
	for _, n := range []struct {
		got  *uint64
		want uint64
	}{{j.Retransmits, h.Retransmits}, {j.RetransmitBytes, h.RetransmitBytes}, {j.Resets, h.Resets}, {j.ConnectFailed, h.ConnectFailed}} {
		same = same && (n.got != nil) == (n.want != 0) && (n.got == nil || *n.got == n.want)
	}
	return same
}

type jsonAlternative struct{ Backend, Reason string }

type jsonLink struct {
	Iface *string
	jsonCounters
	BPS, PPS  *float64
	StackedOn []string `json:"stacked_on"`
}

type jsonReport struct {
	Schema                      string
	Final                       *bool
	Seq                         uint64
	Host, Kernel, Version, Note string
	Args                        []string
	Source                      map[string][]string
	Backend, Attach, Reason     string
	Alternatives                []jsonAlternative `json:"alternatives"`
	Interfaces                  []string
	Start, End                  time.Time
	DurationS                   *float64 `json:"duration_s"`
	By                          []string
	Sort                        string
	RateLayer                   string `json:"rate_layer"`
	PacketsExact                *bool  `json:"packets_exact"`
	Notes                       []string
	Total, Overflow, Lost, Rest *jsonSum
	OverflowBy                  map[string]*jsonCounters `json:"overflow_by"`
	Links                       []jsonLink
	LinkTotal                   *jsonCounters `json:"link_total"`
	RowCount                    *int          `json:"row_count"`
	FlowCount                   *int          `json:"flow_count"`
	Flows                       []json.RawMessage
}

type jsonFlow struct {
	Proto     string
	Src, Dst  netip.Addr
	SrcPort   uint16 `json:"src_port"`
	DstPort   uint16 `json:"dst_port"`
	ICMPType  *uint8 `json:"icmp_type"`
	ICMPCode  *uint8 `json:"icmp_code"`
	SPI       uint32
	ARPOp     uint32 `json:"arp_op"`
	Sub       uint32 `json:"subtype"`
	EtherType string
	corpus.Subtype
	VLAN      uint16
	Direction string
	Iface     string
	jsonCounters
	BPS, PPS *float64
	First    time.Time
	Last     time.Time
	PID      uint32
	Comm     string
	UID      *uint32
	CgroupID uint64 `json:"cgroup_id"`

	Cgroup, Container, Match string

	jsonHealth
	RetransmitsBy string `json:"retransmits_by"`

	TCPFlags string `json:"tcp_flags"`
	NetNS    uint32

	Local, Remote, Host netip.Addr
	LocalPort           uint16 `json:"local_port"`
	RemotePort          uint16 `json:"remote_port"`
	Port                uint16
	EndsBy              string `json:"ends_by"`
	RTT                 float64
	RTTBy               string `json:"rtt_by"`
	TCPState            string `json:"tcp_state"`
}

func encode(t *testing.T, r *flow.Report) []byte {
	t.Helper()
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	if err := Write(w, r, false); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func decode(t *testing.T, b []byte, v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
}

// TestReadsBack: encoding/json reads the values of the report back.
func TestReadsBack(t *testing.T) {
	for _, g := range sinktest.Goldens() {
		for _, r := range g.Reports {
			text := encode(t, r)
			checkFields(t, g.Name, text, reportFields)
			var got jsonReport
			decode(t, text, &got)
			var names []string
			for _, i := range r.Interfaces {
				names = append(names, strings.ToValidUTF8(i.Name, "\ufffd"))
			}
			if g.Name == "hostile" { // JSON has two replacement characters for the two invalid bytes
				names[4] = "bad\ufffd\ufffdutf8"
			}
			kind, source := r.Source()
			if o := r.Origin; g.Name != "hostile" && (got.Host != o.Host || got.Kernel != o.Kernel || got.Version != o.Version || got.Note != o.Note ||
				!slices.Equal(got.Args, o.Args) || kind != flow.SourceAll && !slices.Equal(got.Source[string(kind)], source)) {
				t.Errorf("%s: the origin reads back as %+v", g.Name, got)
			}
			switch {
			case got.Schema != "pktstat.report/v1", *got.Final != r.Final, got.Seq != r.Seq,
				!slices.EqualFunc(got.Alternatives, r.Alternatives, func(g jsonAlternative, w flow.Alternative) bool {
					return g.Backend == w.Backend && g.Reason == w.Why
				}),
				got.Backend != r.Backend, got.Attach != r.Attach, got.Reason != r.Reason,
				!got.Start.Equal(r.Start), !got.End.Equal(r.End), *got.DurationS != r.Duration().Seconds(),
				!slices.Equal(got.Interfaces, names), !slices.Equal(got.Notes, r.Notes),
				got.RateLayer != r.RateLayer.String(), (got.PacketsExact != nil) != r.PacketsInexact,
				*got.FlowCount != r.FlowCount, *got.RowCount != r.FlowCount, got.Lost.BytesUnknown != r.LostBytesUnknown:
				t.Errorf("%s reads back as %+v", g.Name, got)
			}
			if by := strings.Join(got.By, ","); by != r.Dims.String() && (by != "" || r.Dims != flow.DimsFlow) {
				t.Errorf("%s: by %q, want %q", g.Name, by, r.Dims)
			}

			checkLinks(t, g.Name, r, &got)

			sum := counters(&got.Rest.jsonCounters)
			sum.Add(counters(&got.Overflow.jsonCounters))
			sum.Add(counters(&got.Lost.jsonCounters))
			checkOverflow(t, g.Name, r, &got)
			checkHealth(t, g.Name, r, &got)
			i := 0
			for row := range r.Rows() {
				sum.Add(checkFlow(t, g.Name, r, &row, got.Flows[i]))
				i++
			}
			if i != len(got.Flows) {
				t.Errorf("%s: %d flows, want %d", g.Name, len(got.Flows), i)
			}
			if total := counters(&got.Total.jsonCounters); sum != total && r.Dims.Copies() == 1 {
				t.Errorf("%s: flows + rest + overflow + lost = %v, total %v", g.Name, sum, total)
			}
		}
	}
}

func counters(c *jsonCounters) flow.Counters {
	return flow.Counters{Packets: *c.Packets, Bytes: *c.Bytes, FrameBytes: *c.FrameBytes}
}

// checkOverflow: the reasons add up to the overflow.
func checkOverflow(t *testing.T, name string, r *flow.Report, got *jsonReport) {
	t.Helper()
	var o flow.Overflow
	there := 0
	for reason := range o {
		if c, ok := got.OverflowBy[flow.OverflowReason(reason).String()]; ok {
			o[reason] = counters(c)
			there++
		}
		if !r.OverflowBy[reason].IsZero() {
			there--
		}
	}
	if o != r.OverflowBy || there != 0 || o.Total() != counters(&got.Overflow.jsonCounters) {
		t.Errorf("%s: overflow reads back as %+v, want %+v", name, got.OverflowBy, r.OverflowBy)
	}
}

// checkHealth: every sum has what went wrong in TCP, if the report has any.
func checkHealth(t *testing.T, name string, r *flow.Report, got *jsonReport) {
	t.Helper()
	for what, c := range map[string]struct {
		got  *jsonSum
		want flow.Health
	}{"total": {got.Total, r.Total.Health}, "overflow": {got.Overflow, r.Overflow.Health}, "lost": {got.Lost, r.Lost.Health}, "rest": {got.Rest, r.Rest.Health}} {
		if !c.got.is(c.want) {
			t.Errorf("%s: %s has %+v, want %+v", name, what, c.got.jsonHealth, c.want)
		}
	}
}

// checkLinks compares the totals of each interface.
func checkLinks(t *testing.T, name string, r *flow.Report, got *jsonReport) {
	t.Helper()
	same := slices.EqualFunc(got.Links, r.Links, func(g jsonLink, w flow.Link) bool {
		named := name == "hostile" || g.Iface == nil || *g.Iface == w.Name && slices.Equal(g.StackedOn, w.StackedOn)
		return named && (g.Iface != nil) == (w.Index != 0) && len(g.StackedOn) == len(w.StackedOn) &&
			counters(&g.jsonCounters) == w.Counters && *g.BPS == r.BitRate(w.Counters) && *g.PPS == r.PacketRate(w.Counters)
	})
	if (got.LinkTotal != nil) != (r.Links != nil) || got.LinkTotal != nil && counters(got.LinkTotal) != r.LinkTotal || !same {
		t.Errorf("%s: links read back as %+v, %+v", name, got.Links, got.LinkTotal)
	}
}

// jsonEnd is what an end of a conversation has sent or received.
type jsonEnd struct {
	jsonCounters
	BPS float64
}

// checkEnds compares the two ends of a row, and puts them where the ends of flows are.
func checkEnds(t *testing.T, name string, r *flow.Report, row *flow.Row, f *jsonFlow) {
	t.Helper()
	if f.EndsBy != row.EndsBy.String() || f.RTT != float64(row.RTT)/1e9 || f.RTTBy != row.RTTBy.String() {
		t.Errorf("%s: ends by %q, RTT %v by %q", name, f.EndsBy, f.RTT, f.RTTBy)
	}
	switch {
	case r.Dims.Paired():
		f.Src, f.SrcPort, f.Dst, f.DstPort = f.Local, f.LocalPort, f.Remote, f.RemotePort
	case r.Dims.Has(flow.DimHost):
		f.Src = f.Host
	case r.Dims.Has(flow.DimService):
		f.SrcPort = f.Port
	}
	if (f.Out != nil) != r.Dims.TwoSided() || (f.In != nil) != r.Dims.TwoSided() {
		t.Errorf("%s: out %v, in %v", name, f.Out, f.In)
		return
	}
	if f.Out == nil {
		return
	}
	if counters(&f.Out.jsonCounters) != row.Out || counters(&f.In.jsonCounters) != row.In || f.Out.BPS != r.BitRate(row.Out) || f.In.BPS != r.BitRate(row.In) {
		t.Errorf("%s: out %+v, in %+v; want %+v, %+v", name, f.Out, f.In, row.Out, row.In)
	}
}

// checkFlow compares a flow with its row, and returns its counters.
func checkFlow(t *testing.T, name string, r *flow.Report, row *flow.Row, text []byte) flow.Counters {
	t.Helper()
	checkFields(t, name, text, flowFields)
	var f jsonFlow
	decode(t, text, &f)

	k := row.Key // fields that the row must have
	k.Ifindex, k.OwnerID = 0, 0
	if r.Dims&(flow.DimSrc|flow.DimEnds|flow.DimHost) == 0 {
		k.Src = netip.AddrPortFrom(netip.Addr{}, k.Src.Port())
	}
	if r.Dims&(flow.DimDst|flow.DimEnds) == 0 {
		k.Dst = netip.AddrPortFrom(netip.Addr{}, k.Dst.Port())
	}
	checkEnds(t, name, r, row, &f)
	got := flow.Key{
		Src: netip.AddrPortFrom(f.Src, f.SrcPort), Dst: netip.AddrPortFrom(f.Dst, f.DstPort),
		Proto: k.Proto, Dir: map[string]flow.Direction{"ingress": flow.Ingress, "egress": flow.Egress}[f.Direction],
		VLAN: f.VLAN, NetNS: f.NetNS,
	}
	n, err := f.Subtype.Number()
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
	got.Subtype = f.SPI | f.ARPOp | f.Sub | n
	if f.ICMPType != nil {
		got.Subtype = uint32(*f.ICMPType)<<8 | uint32(*f.ICMPCode)
	}
	switch f.Proto {
	case "ARP":
		got.EtherType = flow.EtherTypeARP
	case "ETH":
		got.EtherType = flow.EtherType(hex(t, f.EtherType))
	default:
		if r.Dims.Has(flow.DimProto) && f.Proto != k.Proto.String() {
			t.Errorf("%s: proto %q, want %v", name, f.Proto, k.Proto)
		}
	}
	if got != k || counters(&f.jsonCounters) != row.Counters {
		t.Errorf("%s: flow %s\nreads back as %+v\nwant          %+v", name, text, got, k)
	}
	checkOwner(t, name, r, row, &f)
	if !f.is(row.Health) || f.RetransmitsBy != row.RetransmitsBy.String() {
		t.Errorf("%s: %s, want %+v", name, text, row.Health)
	}
	if f.TCPFlags != row.TCPFlags.String() || f.TCPState != row.TCPFlags.State() {
		t.Errorf("%s: tcp_flags or tcp_state of %s, want %s, %s", name, text, row.TCPFlags, row.TCPFlags.State())
	}
	if *f.BPS != r.BitRate(row.Counters) || *f.PPS != r.PacketRate(row.Counters) || !f.First.Equal(row.First) || !f.Last.Equal(row.Last) {
		t.Errorf("%s: rates or times of %s", name, text)
	}
	if want := strings.ToValidUTF8(row.IfaceName(), "?"); r.Dims.Has(flow.DimIface) && strings.ReplaceAll(f.Iface, "\ufffd\ufffd", "?") != want {
		t.Errorf("%s: iface %q, want %q", name, f.Iface, want)
	}
	return counters(&f.jsonCounters)
}

// checkOwner compares a flow's owner with its row's.
func checkOwner(t *testing.T, name string, r *flow.Report, row *flow.Row, f *jsonFlow) {
	t.Helper()
	got := flow.Owner{PID: f.PID, Comm: f.Comm, CgroupID: f.CgroupID, Cgroup: f.Cgroup, Container: f.Container}
	want := row.Owner
	if f.UID != nil {
		got.UID = *f.UID
	}
	if (f.UID != nil) != (want.PID != 0) {
		t.Errorf("%s: uid is %v of pid %d", name, f.UID, want.PID)
	}
	want.Start = 0
	for _, s := range []*string{&want.Comm, &want.Cgroup, &want.Container} {
		*s = strings.ToValidUTF8(*s, "?")
	}
	for _, s := range []*string{&got.Comm, &got.Cgroup, &got.Container} {
		*s = strings.ReplaceAll(*s, "\ufffd\ufffd", "?")
	}
	if got != want || f.Match != row.Match.String() {
		t.Errorf("%s: owner reads back as %+v %s, want %+v %v, by %v", name, got, f.Match, want, row.Match, r.Dims)
	}
}

func hex(t *testing.T, s string) uint64 {
	t.Helper()
	if s == "" {
		return 0
	}
	v, err := strconv.ParseUint(s, 0, 16)
	if err != nil || len(s) != len("0x0800") {
		t.Errorf("%q is not four hexadecimal digits", s)
	}
	return v
}

// checkFields: the fields have the schema's order, and none is empty.
func checkFields(t *testing.T, name string, object []byte, order []string) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	at := 0
	for d.More() {
		key, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		i := slices.Index(order[at:], key.(string))
		if i < 0 {
			t.Fatalf("%s: field %q is unknown or out of order", name, key)
		}
		at += i + 1
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		if s := string(v); s == `""` || s == "null" || s == "{}" {
			t.Errorf("%s: field %q is %s, not absent", name, key, s)
		}
	}
}
