package engine

import (
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/ledger"
	"github.com/pktstat/pktstat/internal/owner/ids"
	"github.com/pktstat/pktstat/registry"
)

// lateFields are fields of a label by which rows cannot be grouped.
var lateFields = []flow.Field{
	{Name: "test_late_number", Title: "Number", Help: "number", Role: flow.Label, Detail: true},
	{Name: "test_late_word", Title: "Word", Help: "word", Kind: flow.Word, Role: flow.Label},
}

var lateNumber, lateWord = flow.Fields.Register(lateFields[0]), flow.Fields.Register(lateFields[1])

// late is a label that knows the source port of odd ports.
type late struct{ asked int }

func (*late) Records([]flow.Record) {}
func (*late) Close() error          { return nil }

func (l *late) Rows(rows []*flow.Row) {
	l.asked += len(rows)
	for _, r := range rows {
		if port := r.Src.Port(); port%2 == 1 {
			r.SetNumber(lateNumber, uint64(port))
			r.Owner.SetLabel(lateWord, string(rune('a'+port%26)))
		}
	}
}

// TestSortByLateLabel: rows that are ordered by a label that gets no records have its values before
// they are ordered. The label is asked for those rows that were counted in the span.
func TestSortByLateLabel(t *testing.T) {
	const ports = 200
	label := &late{}
	r := &run{c: &Config{}, labels: labels{open: []openLabel{{Label{Name: "late", Label: registry.Label{Fields: lateFields}}, label}}}}
	v := &view{dims: flow.DimsFlow, ledger: ledger.New(flow.DimsFlow, 1000, flow.Seed{1, 2}), grouped: ids.New(flow.DimsFlow, 100)}
	add := func(from, to uint16) {
		for port := from; port < to; port++ {
			v.ledger.Merge([]flow.Record{{Key: flow.Packed{Proto: flow.TCP, L4Kind: flow.L4Ports, L4: flow.Ports(port, 1)}, Counters: flow.Counters{Packets: 1}}})
		}
	}
	add(ports, 2*ports) // before the interval
	v.ledger.EndInterval()
	add(0, ports)
	order := func(f *flow.Field) (got []uint16) {
		r.c.Sort, label.asked = f, 0
		for _, row := range v.ledger.Select(ledger.Interval, 0, r.order(v, ledger.Interval)).Rows {
			got = append(got, uint16(row.Key.L4>>16))
		}
		if len(got) != ports || label.asked != ports {
			t.Errorf("by %s: %d rows, the label was asked for %d", f.Name, len(got), label.asked)
		}
		return got
	}
	got := order(lateNumber)
	for i := range ports / 2 {
		if want := uint16(ports - 1 - 2*i); got[i] != want {
			t.Fatalf("by number, row %d has port %d, want %d", i, got[i], want)
		}
	}
	got = order(lateWord)
	for i := range ports / 2 {
		if got[i]%2 == 1 {
			t.Fatalf("by word, row %d has a word, and not all before it have none", i)
		}
	}
	for i := ports/2 + 1; i < ports; i++ {
		if got[i]%26 < got[i-1]%26 {
			t.Fatalf("by word, port %d comes before %d", got[i-1], got[i])
		}
	}
}
