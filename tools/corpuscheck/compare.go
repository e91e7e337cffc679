package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pktstat/pktstat/flow"
)

// id returns the same text as row.id.
func (k key) id() string {
	proto, ethertype := flow.Proto(k.proto).String(), ""
	switch {
	case k.arp:
		proto = "ARP"
	case k.ethertype != 0:
		proto, ethertype = "ETH", fmt.Sprintf("%#04x", k.ethertype)
		if k.ethertype < 0x1000 {
			ethertype = fmt.Sprintf("0x%04x", k.ethertype)
		}
	}
	addr := func(valid bool, s string) string {
		if valid {
			return s
		}
		return ""
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s:%d %s:%d sub=%#x %s vlan=%d", proto,
		addr(k.src.IsValid(), k.src.String()), k.srcPort, addr(k.dst.IsValid(), k.dst.String()), k.dstPort, k.sub, ethertype, k.vlan))
}

// compareRows returns the differences between pktstat's rows and the reader's.
func compareRows(got ours, want []counted) []string {
	sums, total := map[string]tally{}, tally{}
	for _, c := range want {
		one := tally{1, uint64(c.bytes), uint64(c.frame)} //nolint:gosec // lengths
		t := sums[c.key.id()]
		t.add(one)
		sums[c.key.id()] = t
		total.add(one)
	}
	var diffs []string
	if got.total != total {
		diffs = append(diffs, fmt.Sprintf("total: pktstat %v, reader %v", got.total, total))
	}
	ids := map[string]bool{}
	for id := range maps.Keys(sums) {
		ids[id] = true
	}
	for id := range maps.Keys(got.rows) {
		ids[id] = true
	}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		if got.rows[id] != sums[id] {
			diffs = append(diffs, fmt.Sprintf("%s: pktstat %v, reader %v", id, got.rows[id], sums[id]))
		}
	}
	return diffs
}

// compareTimes checks that the report is as long as the capture. It skips times that do not fit
// into nanoseconds since 1970; pktstat's own tests cover them.
func compareTimes(got ours, recs []record) []string {
	if len(recs) == 0 {
		return nil
	}
	first, last := recs[0].time, recs[0].time
	for _, r := range recs {
		if r.time.Before(first) {
			first = r.time
		}
		if r.time.After(last) {
			last = r.time
		}
	}
	var diffs []string
	if !got.start.Equal(first) {
		diffs = append(diffs, fmt.Sprintf("start: pktstat %v, earliest packet %v", got.start, first.UTC()))
	}
	if !got.end.Equal(last) {
		diffs = append(diffs, fmt.Sprintf("end: pktstat %v, latest packet %v", got.end, last.UTC()))
	}
	return diffs
}

// compareTshark returns how many packets tshark reads differently, by kind.
func compareTshark(want []counted, got []dissected) map[string]int {
	kinds := map[string]int{}
	for i, d := range got {
		if i >= len(want) {
			break
		}
		if !want[i].read {
			continue
		}
		k := want[i].key
		ours := !k.arp && k.ethertype == 0
		switch {
		case !ours && d.src != "":
			kinds[fmt.Sprintf("tshark finds IP in what counts as %s (%s)", strings.Fields(k.id())[0]+fmt.Sprintf(" %#04x", k.ethertype), outer(d.layers))]++
		case ours && d.src == "":
			kinds["tshark finds no IP ("+outer(d.layers)+")"]++
		case ours && (d.src != k.src.String() || d.dst != k.dst.String()):
			kinds["tshark has other addresses ("+outer(d.layers)+")"]++
		}
	}
	return kinds
}

// compareLengths compares lengths. It skips packets with contradictory lengths in the file, and
// lengths above tshark's 31 bits.
func compareLengths(recs []record, got []dissected) []string {
	for i, d := range got[:min(len(got), len(recs))] {
		r := recs[i]
		if r.given >= len(r.data) && r.given < 1<<31 && d.length != r.given {
			return []string{fmt.Sprintf("packet %d: tshark has %d bytes, reader %d", i+1, d.length, r.given)}
		}
	}
	return nil
}

// outer returns the layers up to the first IP header, at most six.
func outer(layers string) string {
	var out []string
	for l := range strings.SplitSeq(layers, ":") {
		out = append(out, l)
		if l == "ip" || l == "ipv6" || len(out) == 6 {
			break
		}
	}
	return strings.Join(out, ":")
}
