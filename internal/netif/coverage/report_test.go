package coverage

import (
	"slices"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/flow"
)

// of returns counters with packets and bytes on the receiving side.
func of(packets, bytes uint64) counters {
	return counters{packets: [2]uint64{packets}, bytes: [2]uint64{bytes}}
}

// at returns readings of a moment at which nothing moves.
func at(packets, bytes uint64) readings {
	return readings{before: of(packets, bytes), after: of(packets, bytes)}
}

// TestCompare: the coverage is 100 % if the number lies between the readings, in super-frames or in
// segments.
func TestCompare(t *testing.T) {
	for _, c := range []struct {
		name        string
		first, last readings
		counted     counted
		want        flow.Coverage
		none        bool
	}{
		{name: "nothing", first: at(5, 500), last: at(5, 500), none: true},
		{
			name: "the same", first: at(5, 500), last: at(15, 1500), counted: counted{all: sums{10, 1000}},
			want: flow.Coverage{Packets: 10, FrameBytes: 1000, LinkPackets: 10, LinkBytes: 1000},
		},
		{
			name:  "between the readings",
			first: readings{before: of(5, 500), after: of(8, 800)}, last: readings{before: of(100, 10000), after: of(120, 12000)},
			counted: counted{all: sums{95, 9500}},
			want:    flow.Coverage{Packets: 95, FrameBytes: 9500, LinkPackets: 95, LinkBytes: 9500},
		},
		{
			name:  "the most that the readings allow",
			first: readings{before: of(5, 500), after: of(8, 800)}, last: readings{before: of(100, 10000), after: of(120, 12000)},
			counted: counted{all: sums{116, 11500}},
			want:    flow.Coverage{Packets: 116, FrameBytes: 11500, LinkPackets: 115, LinkBytes: 11500},
		},
		{
			name:  "the least that the readings allow",
			first: readings{before: of(5, 500), after: of(8, 800)}, last: readings{before: of(100, 10000), after: of(120, 12000)},
			counted: counted{all: sums{91, 9199}},
			want:    flow.Coverage{Packets: 91, FrameBytes: 9199, LinkPackets: 92, LinkBytes: 9200},
		},
		{
			name: "super-frames", first: at(0, 0), last: at(3, 5000), counted: counted{all: sums{5, 5108}, merged: sums{2, 108}},
			want: flow.Coverage{Packets: 3, FrameBytes: 5000, LinkPackets: 3, LinkBytes: 5000},
		},
		{
			name: "segments", first: at(0, 0), last: at(5, 5108), counted: counted{all: sums{5, 5108}, merged: sums{2, 108}},
			want: flow.Coverage{Packets: 5, FrameBytes: 5108, LinkPackets: 5, LinkBytes: 5108, Segments: true},
		},
		{
			name: "some in segments", first: at(0, 0), last: at(15, 15540), counted: counted{all: sums{35, 16620}, merged: sums{30, 1620}},
			want: flow.Coverage{Packets: 15, FrameBytes: 15540, LinkPackets: 15, LinkBytes: 15540, Segments: true},
		},
		{
			name: "lost, not in segments", first: at(0, 0), last: at(15, 25000), counted: counted{all: sums{35, 16620}, merged: sums{30, 1620}},
			want: flow.Coverage{Packets: 5, FrameBytes: 16620, LinkPackets: 15, LinkBytes: 25000},
		},
		{
			name: "a vanished interface", first: at(0, 0), last: readings{before: of(3, 300), after: of(3, 300), unknown: true},
			counted: counted{all: sums{10, 1000}},
			want:    flow.Coverage{Packets: 10, FrameBytes: 1000, LinkPackets: 10, LinkBytes: 1000},
		},
		{
			name: "counters that were set back", first: at(5, 500), last: at(1, 100), counted: counted{all: sums{10, 1000}},
			want: flow.Coverage{Packets: 10, FrameBytes: 1000},
		},
	} {
		l := &link{first: c.first, last: c.last, counted: [2]counted{c.counted}}
		got, ok := l.compare(rx)
		if c.want.Dir = flow.Ingress; ok == c.none {
			t.Errorf("%s: ok is %v", c.name, ok)
		} else if ok && !same(&got, &c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func same(a, b *flow.Coverage) bool {
	return a.Dir == b.Dir && a.Packets == b.Packets && a.FrameBytes == b.FrameBytes &&
		a.LinkPackets == b.LinkPackets && a.LinkBytes == b.LinkBytes && a.Segments == b.Segments
}

// TestReasons: each known cause of a difference is named.
func TestReasons(t *testing.T) {
	dropped := at(90, 9000)
	for i, d := range drops {
		dropped.before.drops[i], dropped.after.drops[i] = uint64(10+d.at), uint64(10+d.at)
	}
	for _, c := range []struct {
		name      string
		link      link
		now       queueDrops
		side      side
		linkCount uint64
		gaps      []string
		unnamed   uint64
		want      []string // parts of the reasons, in order; nil: there is none
	}{
		{name: "none", link: link{last: at(100, 0)}, linkCount: 100},
		{name: "XDP", link: link{last: at(100, 0), xdp: true}, linkCount: 100, want: []string{"an XDP program"}},
		{name: "rx", link: link{last: dropped}, linkCount: 130, want: []string{
			"rx_dropped grew by 16", "rx_errors grew by 14", "rx_missed_errors grew by 25", "rx_nohandler grew by 33", "rx_otherhost_dropped grew by 34",
		}},
		{name: "more drops than missing", link: link{last: dropped, xdp: true}, linkCount: 105, want: []string{"an XDP program", "rx_errors"}},
		{name: "only more drops", link: link{last: dropped}, linkCount: 95, want: []string{"rx_dropped", "rx_errors", "rx_missed", "rx_nohandler", "rx_otherhost"}},
		{name: "tx", link: link{last: dropped}, side: tx, linkCount: 50, want: []string{
			"tx_dropped grew by 17", "tx_errors grew by 15", "tx_aborted_errors grew by 26", "tx_carrier_errors grew by 27",
		}},
		{name: "qdisc", link: link{last: at(80, 0), tc: queueDrops{5, 6, 0}}, now: queueDrops{15, 16, 3}, side: tx, linkCount: 80,
			want: []string{"the queue (qdisc) dropped 10 packets", "3 packets wait in the queue", "filters at tc dropped 10 packets"}},
		{name: "tun", link: link{last: at(80, 0), Port: Port{Kind: "tuntap"}}, side: tx, linkCount: 80, want: []string{"when a program reads it"}},
		{name: "qdisc, ingress", link: link{last: at(80, 0)}, now: queueDrops{15, 16, 3}, linkCount: 80},
		{name: "set back", link: link{first: readings{before: of(9, 0)}, last: at(1, 0)}, want: []string{"were set back"}},
		{name: "not counted", link: link{}, want: []string{"does not count its packets"}},
		{name: "lost", link: link{last: at(100, 0), lost: 7}, linkCount: 100, want: []string{"the backend lost 7 packets"}},
		{name: "not known", link: link{last: at(100, 0)}, linkCount: 100, unnamed: 8, want: []string{"of 8 packets"}},
		{name: "others first", link: link{last: at(100, 0), Port: Port{Notes: []string{"eth0 ingress: a filter comes first", "eth0 egress: no"}}},
			linkCount: 100, want: []string{"a filter comes first"}},
		{name: "detached", link: link{last: at(100, 0)}, linkCount: 100, gaps: []string{"eth0 ingress was detached"}, want: []string{"had detached pktstat"}},
		{name: "another one detached", link: link{last: at(100, 0)}, linkCount: 100, gaps: []string{"eth1 ingress was detached"}},
	} {
		m := &Meter{unnamed: c.unnamed}
		c.link.Interface = flow.Interface{Index: 3, Name: "eth0"}
		got := m.reasons(&c.link, &flow.Coverage{Interface: c.link.Interface, Dir: c.side.direction(), Packets: 90, LinkPackets: c.linkCount}, c.now, c.gaps)
		if len(got) != len(c.want) || slices.ContainsFunc(c.want, func(w string) bool {
			return !strings.Contains(got[slices.Index(c.want, w)], w)
		}) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestByteReasons: each known cause of a difference in bytes alone is named.
func TestByteReasons(t *testing.T) {
	for _, c := range []struct {
		name  string
		port  Port
		xdp   bool
		bytes uint64 // of the interface; pktstat has 10 packets of 1000 bytes
		want  string // "": no reason
	}{
		{name: "header", bytes: 9860, want: "link header of 14"},
		{name: "no header", port: Port{Raw: true}, bytes: 9860},
		{name: "XDP for a while", xdp: true, bytes: 9930, want: "while an XDP program"},
		{name: "FCS", bytes: 10040, want: "FCS"},
		{name: "tags", bytes: 9988, want: "VLAN tags"},
		{name: "more than the tags", bytes: 9987},
		{name: "padding", port: Port{Kind: "device"}, bytes: 10120, want: "padding"},
		{name: "no padding", bytes: 10120},
	} {
		l := &link{Port: c.port, xdp: c.xdp, last: at(10, c.bytes), counted: [2]counted{{tagged: 3}}}
		got := l.byteReasons(&flow.Coverage{Dir: flow.Ingress, Packets: 10, LinkPackets: 10, FrameBytes: 10000, LinkBytes: c.bytes})
		if text := strings.Join(got, "; "); c.want == "" && got != nil || !strings.Contains(text, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
