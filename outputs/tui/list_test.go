package tui

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
)

// TestViewsAddUp: every view except hosts has each packet in exactly one row. In hosts, each packet
// counts at both ends.
func TestViewsAddUp(t *testing.T) {
	m, w := screenOf(80, 24, office(), 40)
	m.list.cumulative = true
	for _, v := range m.views {
		m.open(v)
		m.refresh()
		var sum flow.Totals
		for i := range m.list.rows {
			sum.Add(m.list.rows[i].total)
		}
		want := w.run.Total
		if v.name == "Hosts" {
			want.Add(w.run.Total)
		}
		if sum != want {
			t.Errorf("%s: the rows add up to %+v, want %+v", v.name, sum, want)
		}
	}
}

// TestOfferedViews: a view is offered only if its fields are in the grouping and in the data.
func TestOfferedViews(t *testing.T) {
	for _, c := range []struct {
		name   string
		dims   flow.Dims
		change func(*flow.Key)
		want   string
	}{
		{"flows of tc", flow.DimsFlow, func(*flow.Key) {}, "Flows Hosts Pairs Ports Protocols Interfaces"},
		{"a capture", flow.DimsFlow, func(k *flow.Key) { k.Ifindex, k.Dir = 0, 0 }, "Flows Hosts Pairs Ports Protocols"},
		{"processes", flow.DimsFlow, func(k *flow.Key) { k.OwnerID = 1 }, "Flows Hosts Pairs Ports Protocols Processes Containers Interfaces"},
		{"--by src", flow.DimSrc, func(*flow.Key) {}, "Rows Hosts"},
		{"--by proto", flow.DimProto, func(*flow.Key) {}, "Rows Protocols"},
		{"--by proto,dport", flow.DimProto | flow.DimDstPort, func(*flow.Key) {}, "Rows Ports Protocols"},
		{"--by pid", flow.DimPID, func(k *flow.Key) { k.OwnerID = 1 }, "Rows Processes Containers"},
		{"--by comm", flow.DimComm, func(k *flow.Key) { k.OwnerID = 2 }, "Rows Processes"},
		{"--by container", flow.DimContainer, func(k *flow.Key) { k.OwnerID = 3 }, "Rows Containers"},
		{"--by cgroup", flow.DimCgroup, func(k *flow.Key) { k.OwnerID = 4 }, "Rows Containers"},
	} {
		talks := office()
		pr := c.dims.Projection()
		for i := range talks {
			c.change(&talks[i].key)
			p := flow.Pack(talks[i].key)
			pr.Apply(&p)
			talks[i].key = p.Key()
		}
		w := newNetwork(talks)
		w.base.Dims = c.dims
		w.base.Owners = map[uint32]flow.Owner{}
		for id, o := range map[uint32]flow.Owner{1: nginx, 2: {Comm: "nginx"}, 3: {Container: "docker:web"}, 4: {CgroupID: 9, Cgroup: "/a"}} {
			if talks[0].key.OwnerID == id {
				w.base.Owners[id] = o
			}
		}
		m := newModel(newStore(), newTheme(false), format{})
		report(m, w.next())
		var names []string
		for _, v := range m.views {
			names = append(names, v.name)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		for _, v := range m.views {
			m.open(v)
			m.refresh()
			checkFrame(t, m.frame(), 80, 24)
		}
	}
}

// TestFilter covers the syntax of filters.
func TestFilter(t *testing.T) {
	m, _ := screenOf(200, 50, office(), 40)
	for _, c := range []struct {
		filter string
		want   int
	}{
		{"", 11}, {"   ", 11}, {"tcp", 6}, {"TCP 198.51", 2}, {"!tcp", 5}, {":22", 2}, {":2", 0}, {"!:22 tcp", 4}, {":53", 2}, {"echo", 1},
		{"who-has", 1}, {"wg0", 1}, {"2001:db8:2::80", 2}, {"!", 11}, {"no such thing", 0}, {"out", 4}, {"eth0 !out !icmp !arp", 5},
	} {
		m.list.cumulative = true
		m.list.filter = parseFilter(c.filter)
		m.refresh()
		if got := len(m.list.order); got != c.want {
			t.Errorf("%q: %d rows, want %d", c.filter, got, c.want)
		}
	}
}

// TestFilterPorts: ":22" also finds a port in a column of its own.
func TestFilterPorts(t *testing.T) {
	m, _ := screenOf(80, 24, office(), 40)
	press(m, "Pf:443")
	if len(m.list.order) != 1 || m.list.place(0).key.L4 != 443 {
		t.Errorf("%d rows", len(m.list.order))
	}
}

// TestSortColumns: every column sorts in both directions, always in the same order.
func TestSortColumns(t *testing.T) {
	m, _ := screenOf(200, 50, office(), 40)
	for _, v := range m.views {
		m.open(v)
		for _, c := range v.columns {
			for _, descending := range []bool{true, false} {
				m.list.column, m.list.descending = c, descending
				m.refresh()
				m.list.sortAll()
				for i := 1; i < len(m.list.order); i++ {
					a, b := m.list.place(i-1), m.list.place(i)
					if d := compareShown(m, c, a, b); d > 0 && !descending || d < 0 && descending {
						t.Errorf("%s by %s, descending %t: rows %d and %d are in the wrong order", v.name, c.name, descending, i-1, i)
					}
				}
			}
		}
	}
}

// compareShown compares what a column shows of two rows, independently of the list.
func compareShown(m *model, c *column, a, b *row) int {
	if c.numeric() {
		return cmp.Compare(c.amount(&m.list, a), c.amount(&m.list, b))
	}
	var cells [2]cell
	cells[0].set(&m.list, a)
	cells[1].set(&m.list, b)
	for _, f := range c.fields {
		var has [2]bool
		for i := range cells {
			has[i] = cells[i].has(f)
		}
		x, y := &cells[0].row, &cells[1].row
		d := 0
		switch {
		case f.Num != nil: // a missing value sorts as 0
			var n [2]uint64
			for i := range cells {
				if has[i] {
					n[i] = f.Num(&cells[i].row)
				}
			}
			d = cmp.Compare(n[0], n[1])
		case has[0] != has[1]:
			d = map[bool]int{true: 1, false: -1}[has[0]]
		case !has[0]:
		case f.Kind == flow.Addr:
			d = f.Addr(x).Compare(f.Addr(y))
		case f.Kind == flow.Time:
			d = f.Time(x).Compare(f.Time(y))
		case f.Name == "match":
			d = cmp.Compare(x.Match, y.Match)
		case f.Name == "direction":
			d = cmp.Compare(x.Dir, y.Dir)
		default:
			d = compareFold(f.Text(x), f.Text(y))
		}
		if d != 0 {
			return d
		}
	}
	return 0
}

// TestLingering: a row that pauses stays for some time. The whole run has all rows.
func TestLingering(t *testing.T) {
	on := func(n int) uint64 { return map[bool]uint64{true: 1000}[n == 0] }
	talks := append(office(), talk{flowKey(flow.TCP, "192.0.2.99:1", "192.0.2.10:25", flow.Ingress), on})
	m, w := screenOf(80, 24, talks, 1)
	there := func() bool {
		for i := range m.list.rows {
			if m.list.rows[i].key == flow.Pack(talks[len(talks)-1].key) {
				return true
			}
		}
		return false
	}
	for second := 1; second < 12; second++ {
		report(m, w.next())
		if want := time.Duration(second)*time.Second <= lingers; there() != want {
			t.Errorf("%d s after its last packet, the list has the row: %t", second, there())
		}
	}
	press(m, "c")
	if !there() {
		t.Error("the whole run does not have the row")
	}
}

// TestStoreBound: the store has a bounded number of rows, and keeps those with most current
// traffic.
func TestStoreBound(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second: not with -short")
	}
	s := newStore()
	next := 0
	for interval := range 5 {
		r := newNetwork(nil).next()
		r.Start = runStart.Add(time.Duration(interval) * time.Second)
		r.End = r.Start.Add(time.Second)
		for range 100_000 {
			k := flow.Pack(flowKey(flow.TCP, fmt.Sprintf("10.%d.%d.%d:1", next>>16, next>>8&255, next&255), "192.0.2.1:80", flow.Ingress))
			c := flow.Counters{Packets: 1, Bytes: uint64(100 + next%1000), FrameBytes: uint64(114 + next%1000)}
			r.Packed = append(r.Packed, &flow.PackedRow{Key: k, Delta: c, Total: c, First: r.Start.UnixNano(), Last: r.End.UnixNano()})
			next++
		}
		s.add(r)
		rows := s.rows.All()
		index := make(map[flow.Packed]int, len(rows))
		for i := range rows {
			index[rows[i].Key] = i
		}
		if len(rows) > maxRows || len(index) != len(rows) {
			t.Fatalf("%d rows, %d of them different", len(rows), len(index))
		}
		if s.past.entries > maxPast {
			t.Fatalf("%d numbers in the past", s.past.entries)
		}
		for _, p := range r.Packed {
			i, ok := index[p.Key]
			if !ok || rows[i].Now.Counters != p.Delta {
				t.Fatal("a row of the last interval is missing")
			}
		}
	}
	v := allViews()[0]
	last := s.rows.All()[len(s.rows.All())-1]
	key := last.Key
	samples := s.samplesOf(v, &key)
	if n := len(samples); n == 0 || samples[n-1].all != last.Now.FrameBytes {
		t.Errorf("history of the last row: %+v", samples)
	}
}

// TestRowHistory: the history of a view's row adds up to the row's totals.
func TestRowHistory(t *testing.T) {
	m, _ := screenOf(80, 24, office(), 60)
	for _, v := range m.views {
		m.open(v)
		m.refresh()
		for i := range m.list.rows {
			r := &m.list.rows[i]
			var all, in, out uint64
			for _, s := range m.store.samplesOf(v, &r.key) {
				all, in, out = all+s.all, in+s.in, out+s.out
			}
			if all != r.total.FrameBytes || in != r.inTotal || out != r.outTotal {
				t.Errorf("%s: history adds up to %d in %d out %d, want %d %d %d", v.name, all, in, out, r.total.FrameBytes, r.inTotal, r.outTotal)
			}
		}
	}
}

// TestBuckets: a graph shows the right rates for any length of buckets.
func TestBuckets(t *testing.T) {
	for _, interval := range []time.Duration{10 * time.Millisecond, 200 * time.Millisecond, time.Second, 7 * time.Second} {
		var samples []sample
		for i := range 500 {
			jitter := time.Duration(i%7) * interval / 100
			samples = append(samples, sample{end: runStart.UnixNano() + int64(i+1)*int64(interval) + int64(jitter), length: interval, all: 125_000 * uint64(interval) / uint64(time.Second)})
		}
		for _, ended := range []bool{false, true} {
			buckets, length := bucketsOf(samples, 130, ended)
			if len(buckets) != 130 || length <= 0 {
				t.Fatalf("%v: %d buckets of %v", interval, len(buckets), length)
			}
			full := 0
			for _, b := range buckets {
				if b.all == 0 {
					continue
				}
				full++
				if b.all < 115_000 || b.all > 135_000 {
					t.Errorf("%v, ended %t: a bucket of %.0f bytes a second, want 125000", interval, ended, b.all)
				}
			}
			if full == 0 {
				t.Errorf("%v, ended %t: nothing in the graph", interval, ended)
			}
		}
	}
}

// TestOnlyVisibleRowsAreFormatted: the screen formats only visible rows. Formatting any other row
// would allocate.
func TestOnlyVisibleRowsAreFormatted(t *testing.T) {
	refresh := func(flows int) float64 {
		m, w := screenOf(200, 50, crowd(flows), 2)
		r := w.next()
		return testing.AllocsPerRun(3, func() {
			report(m, r)
			_ = m.frame()
		})
	}
	if few, many := refresh(100), refresh(100_000); many > 2*few {
		t.Errorf("a refresh with 100,000 flows makes %v allocations, with 100 %v", many, few)
	}
}

// TestAbout: the screen rounds the length of an interval.
func TestAbout(t *testing.T) {
	for d, want := range map[time.Duration]string{
		1003 * time.Millisecond: "1s", 996 * time.Millisecond: "1s", 501 * time.Millisecond: "500ms", 203 * time.Millisecond: "200ms",
		1502 * time.Millisecond: "1.5s", 52 * time.Millisecond: "50ms", 60 * time.Second: "1m0s", 4746 * time.Millisecond: "4.7s",
	} {
		if got := about(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

// TestBeginsAsReports: the screen begins with the reports' order, and keeps the user's choice.
func TestBeginsAsReports(t *testing.T) {
	for _, c := range []struct {
		sort, view, keys string // pressed before the first report
		column           string
		descending       bool
	}{
		{"", "flows", "", "bps", true},
		{"bps", "flows", "", "bps", true},
		{"packets", "flows", "", "packets", true},
		{"dst", "flows", "", "dst", false},
		{"dst_port", "flows", "", "dst_port", false},
		{"first", "flows", "", "first", false},
		{"last", "flows", "", "last", true},
		{"uid", "flows", "", "uid of flow", false},
		{"src", "hosts", "", "host", false},
		{"vlan", "hosts", "", "bps", true},
		{"packets", "flows", "2", "bytes", true},
	} {
		w := newNetwork(office())
		w.base.Sort = c.sort
		m := newModel(newStore(), newTheme(false), format{})
		if err := m.openNamed(c.view); err != nil {
			t.Fatal(err)
		}
		press(m, c.keys)
		for range 2 {
			report(m, w.next())
			if m.list.column.name != c.column || m.list.descending != c.descending {
				t.Errorf("sort %q, view %s: by %s, descending %t; want %s, %t", c.sort, c.view, m.list.column.name, m.list.descending, c.column, c.descending)
			}
			checkFrame(t, m.frame(), 80, 24)
			if !slices.ContainsFunc(m.columns, func(p placed) bool { return p.column == m.list.column }) {
				t.Errorf("sort %q: the column is not on the screen", c.sort)
			}
		}
		press(m, "1") // sorts by packets, or reverses the order
		report(m, w.next())
		if m.list.column.name != "packets" {
			t.Errorf("sort %q: a key's order is not kept", c.sort)
		}
	}
}
