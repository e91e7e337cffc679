package engine

import (
	"fmt"
	"slices"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/ledger"
	"github.com/pktstat/pktstat/registry"
)

func packets(n uint64) flow.Counters {
	return flow.Counters{Packets: n, Bytes: 10 * n, FrameBytes: 11 * n}
}

func record(index uint32, n uint64) flow.Record {
	return flow.Record{Key: flow.Packed{Ifindex: index}, Counters: packets(n)}
}

// A bridge's packets are repeated while it has ports, because the ports count them too. Before
// and after, they count for the bridge.
func TestLinks(t *testing.T) {
	const br, a, b = 1, 2, 3
	var l links
	on := registry.Attachment{Interfaces: []flow.Interface{{Index: br, Name: "br"}, {Index: a, Name: "a"}, {Index: a, Name: "b"}, {Index: b, Name: "c"}}}
	collect := func(stackedOn map[uint32][]uint32, recs ...flow.Record) {
		l.add(recs)
		on.StackedOn = stackedOn
		l.settle(&on)
	}
	report := func(span ledger.Span) *flow.Report {
		r := &flow.Report{Interfaces: on.Interfaces}
		l.report(r, span)
		return r
	}
	text := func(r *flow.Report) (s []string) {
		for _, link := range r.Links {
			s = append(s, fmt.Sprintf("%s %d %v", link.Name, link.Packets, link.StackedOn))
		}
		return append(s, fmt.Sprint(r.LinkTotal.Packets))
	}
	check := func(what string, got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}

	collect(nil, record(br, 1), record(0, 100))
	check("alone", text(report(ledger.Interval)), "br 1 []", "1")
	stacked := map[uint32][]uint32{br: {a, b}}
	collect(stacked, record(br, 10), record(a, 10)) // the ports were added during the window
	l.endInterval()
	collect(stacked, record(br, 20), record(b, 20), record(a, 3))
	check("with ports", text(report(ledger.Interval)), "br 20 [b c]", "b 3 []", "c 20 []", "23")
	collect(nil, record(br, 40), record(a, 40)) // the ports were removed during the window
	collect(nil, record(br, 80))
	l.endInterval()
	check("interval without traffic", text(report(ledger.Interval)), "0")
	check("run", text(report(ledger.Run)), "br 151 [b c]", "b 53 []", "c 20 []", "154")

	on.Interfaces = on.Interfaces[:1]
	if r := report(ledger.Run); r.Links != nil || !r.LinkTotal.IsZero() {
		t.Errorf("links of a single interface: %+v", r)
	}
}

// Interfaces that the source no longer knows are merged into one.
func TestForgottenLinks(t *testing.T) {
	var l links
	on := registry.Attachment{}
	const all = 3 * maxGone
	for i := range uint32(all) {
		on.Interfaces = []flow.Interface{{Index: i, Name: "a"}, {Index: i + 1, Name: "b"}}
		l.add([]flow.Record{record(i+1, 1)})
		l.settle(&on)
		if len(l.all) > len(on.Interfaces)+maxGone {
			t.Fatalf("%d interfaces are kept", len(l.all))
		}
	}
	l.endInterval()
	// The known interfaces, and all those that survived the last merge.
	r := &flow.Report{Interfaces: on.Interfaces}
	for i := range uint32(all) {
		r.Interfaces = append(r.Interfaces, flow.Interface{Index: i + 1, Name: fmt.Sprint(i)})
	}
	l.report(r, ledger.Run)
	var sum flow.Counters
	for i := range r.Links {
		sum.Add(r.Links[i].Counters)
	}
	last := r.Links[len(r.Links)-1]
	if sum != packets(all) || r.LinkTotal != sum || last.Index != 0 || last.IsZero() {
		t.Errorf("sum %+v, link total %+v, gone %+v", sum, r.LinkTotal, last)
	}
}
