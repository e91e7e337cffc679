package engine

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// Groupable fields of two labels.
var (
	evenField = testField("test_even")
	sizeField = testField("test_magnitude")
)

func testField(name string) *flow.Field {
	return flow.Fields.Register(flow.Field{Name: name, Title: name, Help: name, Kind: flow.Text, Role: flow.Label, Groupable: true})
}

// portLabel derives a text from the destination port, for records and rows.
type portLabel struct {
	field  *flow.Field
	text   func(port uint16) string
	tuples registry.Tuples
	rows   int // calls of Rows
	recs   int // calls of Records
}

func (*portLabel) Flags(*flag.FlagSet) {}

func (l *portLabel) Open(_ context.Context, env registry.LabelEnv) (registry.Labeler, error) {
	l.tuples = env.Tuples
	return l, nil
}

func (l *portLabel) Records(recs []flow.Record) {
	l.recs++
	for i := range recs {
		k := &recs[i].Key
		o := l.tuples.Get(k.OwnerID)
		o.SetLabel(l.field, l.text(uint16(k.L4)))
		if id := l.tuples.Number(&o); id != 0 {
			k.OwnerID = id
		}
	}
}

func (l *portLabel) Rows(rows []*flow.Row) {
	l.rows++
	for _, r := range rows {
		r.Owner.SetLabel(l.field, l.text(r.Dst.Port()))
	}
}

func (l *portLabel) Close() error { return nil }

func even() *portLabel {
	return &portLabel{field: evenField, text: func(p uint16) string { return [...]string{"even", "odd"}[p%2] }}
}

func size() *portLabel {
	return &portLabel{field: sizeField, text: func(p uint16) string { return [...]string{"small", "large"}[min(p/10, 1)] }}
}

// ports is a source. Each Collect returns one packet to each port. If grows is set, it uses one
// more port each time.
type ports struct {
	counter
	n, grows int
}

func (s *ports) Open(context.Context, registry.BackendEnv) (registry.Source, error) { return s, nil }

func (s *ports) Collect(_ context.Context, b *flow.Batch) error {
	b.WindowClosed(time.Time{})
	if !s.live { // nothing was counted before the start
		s.live = true
		return nil
	}
	for p := range s.n + s.grows*s.collects {
		b.Add(flow.Record{
			Key:      flow.Packed{Proto: flow.UDP, L4Kind: flow.L4Ports, L4: flow.Ports(1, uint16(p)), Family: flow.FamilyIPv4},
			Counters: flow.Counters{Packets: 1, Bytes: 28, FrameBytes: 42},
		})
	}
	if s.collects++; s.collects == s.end {
		return io.EOF
	}
	return nil
}

// labelled runs a source with labels and returns the final report.
func labelled(t *testing.T, src registry.BackendConfig, dims flow.Dims, maxFlows int, all ...Label) (report flow.Report) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		sink := &recorder{}
		c := config(src, sink)
		c.Dims, c.MaxFlows = dims, maxFlows
		c.Labels = func(Candidate) []Label { return all }
		if err := Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		report = sink.final(t)
	})
	return report
}

func grouped(name string, l *portLabel) Label { return Label{Name: name, Config: l, Grouped: true} }

// packetsBy returns the packets of a report's rows, by the values of fields.
func packetsBy(r *flow.Report, fields ...*flow.Field) map[string]uint64 {
	sums := map[string]uint64{}
	for row := range r.Rows() {
		var texts []string
		for _, f := range fields {
			texts = append(texts, f.Text(&row))
		}
		sums[strings.Join(texts, " ")] += row.Packets
	}
	return sums
}

// TestTwoLabels: rows can be grouped by two labels, by one of them, and by a label and a field of
// packets.
func TestTwoLabels(t *testing.T) {
	for _, tt := range []struct {
		dims flow.Dims
		want string
	}{
		{evenField.Dim | sizeField.Dim, "map[even large:20 even small:20 odd large:20 odd small:20]"},
		{evenField.Dim, "map[even :40 odd :40]"},
		{sizeField.Dim | flow.DimProto, "map[ large:40  small:40]"},
	} {
		r := labelled(t, &ports{counter: counter{end: 4}, n: 20}, tt.dims, 1000, grouped("even", even()), grouped("size", size()))
		if got := fmt.Sprint(packetsBy(&r, evenField, sizeField)); got != tt.want {
			t.Errorf("by %v: %s, want %s", tt.dims, got, tt.want)
		}
		if want := strings.Count(tt.want, ":"); len(r.Packed) != want {
			t.Errorf("by %v: %d rows, want %d", tt.dims, len(r.Packed), want)
		}
	}
}

// TestDisplayedLabel: a label that rows are not grouped by gets the rows and no records. A label
// with Always gets every record.
func TestDisplayedLabel(t *testing.T) {
	for _, always := range []bool{false, true} {
		shown := even()
		r := labelled(t, &ports{counter: counter{end: 2}, n: 20}, flow.DimsFlow, 1000,
			Label{Name: "even", Label: registry.Label{Always: always}, Config: shown}, grouped("size", size()))
		sums := packetsBy(&r, evenField)
		if (shown.recs > 0) != always || (shown.rows > 0) == always || (r.Label == nil) != always {
			t.Errorf("always %t: %d calls of Records, %d of Rows", always, shown.recs, shown.rows)
		}
		if want := map[string]uint64{"even": 20, "odd": 20}; !always && fmt.Sprint(sums) != fmt.Sprint(want) {
			t.Errorf("%v, want %v", sums, want)
		}
	}
}

// eachPort returns a label with a different text for each port.
func eachPort() *portLabel {
	return &portLabel{field: evenField, text: func(p uint16) string { return fmt.Sprint(p) }}
}

// TestSweep: labels of folded rows make room for others. The remaining rows keep their texts.
func TestSweep(t *testing.T) {
	const n = 3 * sweepOwners
	r := labelled(t, &ports{counter: counter{end: 12}, n: 100, grows: n / 12}, flow.DimDstPort|evenField.Dim, 1000, grouped("each", eachPort()))
	if r.Overflow.Packets == 0 {
		t.Error("no row was folded")
	}
	for row := range r.Rows() {
		if got := evenField.Text(&row); got != fmt.Sprint(row.Dst.Port()) {
			t.Fatalf("the row of port %d has the label %q", row.Dst.Port(), got)
		}
	}
	if notes := strings.Join(r.Notes, "\n"); strings.Contains(notes, "is full") {
		t.Errorf("the table was full: %s", notes)
	}
	sums := r.Rest
	sums.Add(r.Overflow)
	for row := range r.Rows() {
		sums.Add(row.Totals)
	}
	if sums != r.Total {
		t.Errorf("the sums are %+v, the total is %+v", sums, r.Total)
	}
}

// TestTableOfAllIsSwept: the table of all label values is bounded. A full table gets room again.
func TestTableOfAllIsSwept(t *testing.T) {
	l := newLabels(sweepOwners)
	r := newRun(&Config{Dims: flow.DimPID, MaxFlows: 10}, workers{})
	r.labels = l
	// As many owners have rows as there may be: the bound at which sweeping begins has grown.
	r.views[0].sweepAt = 2 * sweepOwners
	for n := range uint32(20 * l.most / 4) {
		r.labels.all.Number(&flow.Owner{PID: 1 + n, Start: 1})
		if n%uint32(l.most/4) == 0 {
			r.window(t.Context())
		}
	}
	if refused := r.labels.all.Refused(); refused > 0 {
		t.Errorf("%d owners were refused", refused)
	}
}

// TestNoRoomForLabels: a note reports the missing labels, and the counters are complete.
func TestNoRoomForLabels(t *testing.T) {
	const most = roomPerRow * sweepOwners
	r := labelled(t, &ports{counter: counter{end: 1}, n: most + 100}, evenField.Dim, 10, grouped("each", eachPort()))
	if !slices.Contains(r.Notes, "labels: the table is full, 100 labels of flows are missing") {
		t.Errorf("notes %q", r.Notes)
	}
	if r.Total.Packets != most+100 {
		t.Errorf("%d packets", r.Total.Packets)
	}
}

// changing is a label whose owner gets a path and a user id later.
type changing struct{ portLabel }

func (l *changing) Open(_ context.Context, env registry.LabelEnv) (registry.Labeler, error) {
	l.tuples = env.Tuples
	return l, nil
}

func (l *changing) Records(recs []flow.Record) {
	o := flow.Owner{PID: 7, Start: 8, CgroupID: 9}
	if l.recs++; l.recs > 1 {
		o.Cgroup, o.UID = "/found", 33
	}
	for i := range recs {
		recs[i].Key.OwnerID = l.tuples.Number(&o)
	}
}

// TestLaterPath: rows get fields of an owner that become known later, if they do not identify it.
func TestLaterPath(t *testing.T) {
	r := labelled(t, &ports{counter: counter{end: 3}, n: 1}, flow.DimsFlow, 100, Label{Name: "changing", Label: registry.Label{Always: true}, Config: &changing{}})
	for row := range r.Rows() {
		if row.Owner.Cgroup != "/found" || row.Owner.UID != 33 || row.Packets != 3 {
			t.Errorf("%+v", row.Owner)
		}
	}
}
