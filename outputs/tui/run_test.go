package tui

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/pktstat/pktstat/flow"
)

var runStart = time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)

// talk is a flow of a simulated run.
type talk struct {
	key   flow.Key
	bytes func(n int) uint64 // of layer 3 in interval n; packets of 1,000 bytes
}

func always(bytes uint64) func(int) uint64 { return func(int) uint64 { return bytes } }

func flowKey(proto flow.Proto, src, dst string, dir flow.Direction) flow.Key {
	return flow.Key{Proto: proto, Src: netip.MustParseAddrPort(src), Dst: netip.MustParseAddrPort(dst), Dir: dir, Ifindex: 2}
}

// office is a small network: downloads, their answers, and a name server.
func office() []talk {
	const in, out = flow.Ingress, flow.Egress
	icmp := flowKey(flow.ICMP, "192.0.2.1:0", "192.0.2.10:0", in)
	icmp.Subtype = 8 << 8
	arp := flowKey(0, "192.0.2.1:0", "192.0.2.10:0", in)
	arp.EtherType, arp.Subtype = flow.EtherTypeARP, 1
	vpn := flowKey(flow.UDP, "192.0.2.10:51820", "203.0.113.7:51820", out)
	vpn.Ifindex = 3
	return []talk{
		{flowKey(flow.TCP, "198.51.100.20:443", "192.0.2.10:51273", in), func(n int) uint64 { return uint64(400_000 + 300_000*(n%7)) }},
		{flowKey(flow.TCP, "192.0.2.10:51273", "198.51.100.20:443", out), func(n int) uint64 { return uint64(20_000 + 9_000*(n%5)) }},
		{flowKey(flow.TCP, "[2001:db8:2::80]:443", "[2001:db8:1111:2222:3333:4444:5555:10]:55320", in), func(n int) uint64 { return uint64(n%11) * 60_000 }},
		{flowKey(flow.TCP, "[2001:db8:1111:2222:3333:4444:5555:10]:55320", "[2001:db8:2::80]:443", out), func(n int) uint64 { return uint64(n%11) * 2_000 }},
		{flowKey(flow.UDP, "198.51.100.53:53", "192.0.2.10:40000", in), always(3_000)},
		{flowKey(flow.UDP, "192.0.2.10:40000", "198.51.100.53:53", out), always(1_000)},
		{vpn, func(n int) uint64 { return uint64(n%13) * 9_000 }},
		{icmp, always(2_000)},
		{arp, always(0)},
		{flowKey(flow.TCP, "192.0.2.77:60000", "192.0.2.10:22", in), func(n int) uint64 { return map[bool]uint64{true: 5_000}[n < 80] }},
		{flowKey(flow.TCP, "192.0.2.78:60001", "192.0.2.10:22", in), func(n int) uint64 { return map[bool]uint64{true: 5_000}[n > 3 && n < 58] }},
	}
}

// network simulates a run.
type network struct {
	talks  []talk
	totals []flow.Counters
	firsts []int64
	lasts  []int64
	run    flow.Sums
	n      int
	base   flow.Report
}

func newNetwork(talks []talk) *network {
	return &network{
		talks: talks, totals: make([]flow.Counters, len(talks)), firsts: make([]int64, len(talks)), lasts: make([]int64, len(talks)),
		base: flow.Report{
			Origin:  flow.Origin{Host: "web-3"},
			Backend: "tc", Attach: "tcx",
			Interfaces: []flow.Interface{{Index: 2, Name: "eth0"}, {Index: 3, Name: "wg0"}},
			Dims:       flow.DimsFlow, Layers: flow.LayerIP | flow.LayerFrame, RateLayer: flow.LayerFrame,
		},
	}
}

// next returns the report of the next interval of one second.
func (w *network) next() *flow.Report {
	r := w.base
	r.Start = runStart.Add(time.Duration(w.n) * time.Second)
	r.End = r.Start.Add(time.Second)
	r.Seq = uint64(w.n + 1)
	r.Packed = nil
	for i, t := range w.talks {
		bytes := t.bytes(w.n)
		packets := (bytes + 999) / 1000
		c := flow.Counters{Packets: packets, Bytes: bytes, FrameBytes: bytes + 14*packets}
		if t.key.EtherType != 0 {
			c = flow.Counters{Packets: 1, FrameBytes: 42}
		}
		if c.IsZero() {
			continue
		}
		w.totals[i].Add(c)
		if w.firsts[i] == 0 {
			w.firsts[i] = r.Start.UnixNano()
		}
		w.lasts[i] = r.End.UnixNano()
		r.Total.Counters.Add(c)
		r.Packed = append(r.Packed, &flow.PackedRow{Key: flow.Pack(t.key), Delta: c, Total: w.totals[i], First: w.firsts[i], Last: w.lasts[i]})
	}
	r.FlowCount = len(r.Packed)
	w.run.Total.Add(r.Total)
	r.Run = w.run
	w.n++
	return &r
}

// final returns the report of the whole run.
func (w *network) final() *flow.Report {
	r := w.base
	r.Final, r.Start, r.End = true, runStart, runStart.Add(time.Duration(w.n)*time.Second)
	r.Seq = uint64(w.n + 1)
	for i, t := range w.talks {
		if w.totals[i].IsZero() {
			continue
		}
		r.Packed = append(r.Packed, &flow.PackedRow{Key: flow.Pack(t.key), Delta: w.totals[i], Total: w.totals[i], First: w.firsts[i], Last: w.lasts[i]})
	}
	r.FlowCount = len(r.Packed)
	r.Sums, r.Run = w.run, w.run
	return &r
}

// crowd returns n flows with different rates.
func crowd(n int) []talk {
	talks := make([]talk, n)
	for i := range talks {
		src := fmt.Sprintf("10.%d.%d.%d:%d", i>>16&0xff, i>>8&0xff, i&0xff, 1024+i%60000)
		talks[i] = talk{flowKey(flow.TCP, src, "192.0.2.10:443", flow.Ingress), func(k int) uint64 {
			return uint64((i*7919+k*104729)%1_000_003) + 1
		}}
	}
	return talks
}

// screenOf returns a screen of a size after some intervals.
func screenOf(width, height int, talks []talk, intervals int) (*model, *network) {
	w := newNetwork(talks)
	m := newModel(newStore(), newTheme(false), format{})
	resize(m, width, height)
	for range intervals {
		report(m, w.next())
	}
	return m, w
}

func report(m *model, r *flow.Report) {
	m.store.add(r)
	m.Update(updated{})
}
