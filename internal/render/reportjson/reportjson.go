// Package reportjson writes a report as one JSON object of the schema
// pktstat.report/v1, which outputs/json/README.md describes.
//
// The text is appended by hand: a report may have a million rows, and
// encoding/json takes several times as long and allocates per row.
package reportjson

import (
	"bufio"
	"strings"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/rowfields"
)

// Schema is the value of the field "schema". Fields may be added to it; a field
// never changes its meaning.
const Schema = "pktstat.report/v1"

// Write writes r and a newline, indented if pretty. It keeps one row of text at
// a time. It returns the first error of w.
func Write(w *bufio.Writer, r *flow.Report, pretty bool) error {
	e := encoder{pretty: pretty, buf: w.AvailableBuffer()}
	e.open('{')
	e.head(r)
	e.key("flows")
	e.open('[')
	for row := range r.Rows() {
		e.row(r, &row)
		if _, err := w.Write(e.buf); err != nil {
			return err
		}
		e.buf = w.AvailableBuffer()
	}
	e.close(']')
	e.close('}')
	_, err := w.Write(append(e.buf, '\n'))
	return err
}

func (e *encoder) head(r *flow.Report) {
	e.key("schema").string(Schema)
	e.key("final").bool(r.Final)
	e.key("seq").uint(r.Seq)
	e.key("backend").string(r.Backend)
	if r.Attach != "" {
		e.key("attach").string(r.Attach)
	}
	if r.Reason != "" {
		e.key("reason").string(r.Reason)
	}
	if len(r.Alternatives) > 0 {
		e.alternatives(r.Alternatives)
	}
	e.key("interfaces").open('[')
	for i := range r.Interfaces {
		e.element().string(r.Interfaces[i].Name)
	}
	e.close(']')
	if !r.Start.IsZero() {
		e.key("start").time(r.Start)
	}
	if !r.End.IsZero() {
		e.key("end").time(r.End)
	}
	e.key("duration_s").float(r.Duration().Seconds())
	if !r.Dims.Has(flow.DimsFlow) {
		e.strings("by", strings.Split(r.Dims.String(), ","))
	}
	if layer := r.RateLayer.String(); layer != "" {
		e.key("rate_layer").string(layer)
	}
	if r.PacketsInexact {
		e.key("packets_exact").bool(false)
	}
	if len(r.Notes) > 0 {
		e.strings("notes", r.Notes)
	}
	again := &r.RetransmitSums
	e.sum("total", sum{Counters: r.Total, retransmits: again.Total})
	e.sum("overflow", sum{Counters: r.Overflow, retransmits: again.Overflow})
	if r.OverflowBy != (flow.Overflow{}) {
		e.overflowBy(&r.OverflowBy)
	}
	e.sum("lost", sum{Counters: r.Lost, bytesUnknown: r.LostBytesUnknown})
	e.sum("rest", sum{Counters: r.Rest, retransmits: again.Rest})
	if r.Links != nil {
		e.links(r)
		e.sum("link_total", sum{Counters: r.LinkTotal})
	}
	e.key("flow_count").uint(uint64(r.FlowCount))
}

// overflowBy writes the reasons that there are.
func (e *encoder) overflowBy(o *flow.Overflow) {
	e.key("overflow_by").open('{')
	for reason, c := range o {
		if !c.IsZero() {
			e.sum(flow.OverflowReason(reason).String(), sum{Counters: c})
		}
	}
	e.close('}')
}

func (e *encoder) alternatives(all []flow.Alternative) {
	e.key("alternatives").open('[')
	for _, u := range all {
		e.element().open('{')
		e.key("backend").string(u.Backend)
		e.key("reason").string(u.Why)
		e.close('}')
	}
	e.close(']')
}

func (e *encoder) links(r *flow.Report) {
	e.key("links").open('[')
	for i := range r.Links {
		l := &r.Links[i]
		e.element().open('{')
		if l.Index != 0 {
			e.key("iface").string(l.Name)
		}
		e.counters(l.Counters)
		e.key("bps").float(r.BitRate(l.Counters))
		e.key("pps").float(r.PacketRate(l.Counters))
		if len(l.StackedOn) > 0 {
			e.strings("stacked_on", l.StackedOn)
		}
		e.close('}')
	}
	e.close(']')
}

// sum is one of the report's sums.
type sum struct {
	flow.Counters
	bytesUnknown bool
	retransmits  uint64
}

func (e *encoder) sum(name string, s sum) {
	e.key(name).open('{')
	e.counters(s.Counters)
	if s.retransmits > 0 {
		e.key("retransmits").uint(s.retransmits)
	}
	if s.bytesUnknown {
		e.key("bytes_unknown").bool(true)
	}
	e.close('}')
}

func (e *encoder) counters(c flow.Counters) {
	e.key("packets").uint(c.Packets)
	e.key("bytes").uint(c.Bytes)
	e.key("frame_bytes").uint(c.FrameBytes)
}

func (e *encoder) row(r *flow.Report, row *flow.Row) {
	has := rowfields.Of(r.Dims, row)
	e.element().open('{')
	if has.Has(rowfields.Proto) {
		e.key("proto").string(row.Protocol())
	}
	if has.Has(rowfields.Src) {
		e.key("src").addr(row.Src.Addr())
	}
	if has.Has(rowfields.SrcPort) {
		e.key("src_port").uint(uint64(row.Src.Port()))
	}
	if has.Has(rowfields.Dst) {
		e.key("dst").addr(row.Dst.Addr())
	}
	if has.Has(rowfields.DstPort) {
		e.key("dst_port").uint(uint64(row.Dst.Port()))
	}
	e.sub(has, row)
	if has.Has(rowfields.EtherType) {
		e.key("ethertype").hex16(uint16(row.EtherType))
	}
	if has.Has(rowfields.VLAN) {
		e.key("vlan").uint(uint64(row.VLAN))
	}
	if has.Has(rowfields.Dir) {
		e.key("direction").string(row.Dir.String())
	}
	if has.Has(rowfields.Iface) {
		e.key("iface").string(rowfields.IfaceName(row))
	}
	e.counters(row.Counters)
	if has.Has(rowfields.Retransmits) {
		e.key("retransmits").uint(row.Retransmits)
	}
	e.key("bps").float(r.BitRate(row.Counters))
	e.key("pps").float(r.PacketRate(row.Counters))
	e.key("first").time(row.First)
	e.key("last").time(row.Last)
	if has.Has(rowfields.PID) {
		e.key("pid").uint(uint64(row.Owner.PID))
	}
	if has.Has(rowfields.Comm) {
		e.key("comm").string(row.Owner.Comm)
	}
	if has.Has(rowfields.UID) {
		e.key("uid").uint(uint64(row.Owner.UID))
	}
	if has.Has(rowfields.CgroupID) {
		e.key("cgroup_id").uint(row.Owner.CgroupID)
	}
	if has.Has(rowfields.Cgroup) {
		e.key("cgroup").string(row.Owner.Cgroup)
	}
	if has.Has(rowfields.Container) {
		e.key("container").string(row.Owner.Container)
	}
	if has.Has(rowfields.Match) {
		e.key("match").string(row.Match.String())
	}
	if has.Has(rowfields.NetNS) {
		e.key("netns").uint(uint64(row.NetNS))
	}
	e.close('}')
}

// sub writes what a flow has instead of ports.
func (e *encoder) sub(has rowfields.Set, row *flow.Row) {
	switch {
	case has.Has(rowfields.ICMP):
		e.key("icmp_type").uint(uint64(row.Subtype >> 8 & 0xff))
		e.key("icmp_code").uint(uint64(row.Subtype & 0xff))
	case has.Has(rowfields.SPI):
		e.key("spi").uint(uint64(row.Subtype))
	case has.Has(rowfields.GREProto):
		e.key("gre_proto").hex16(uint16(row.Subtype))
	case has.Has(rowfields.ARPOp):
		e.key("arp_op").uint(uint64(row.Subtype))
	case has.Has(rowfields.Subtype):
		e.key("subtype").uint(uint64(row.Subtype))
	}
}
