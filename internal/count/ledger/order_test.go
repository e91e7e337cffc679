package ledger

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pktstat/pktstat/flow"
)

// TestOrder sorts rows whose three keys have few values, so that most rows share one or two keys.
func TestOrder(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	o := Order{
		func(r *flow.PackedRow) uint64 { return r.Delta.Packets },
		func(r *flow.PackedRow) uint64 { return ^r.Delta.Bytes },
		func(r *flow.PackedRow) uint64 { return r.Delta.FrameBytes },
	}
	for _, values := range []uint64{1, 2, 10, 100, 1 << 40} {
		for _, n := range []int{0, 1, 2, fewRows, fewRows + 1, manyRows - 1, manyRows, 20_000} {
			rows := make([]keyed, n)
			for i := range rows {
				r := &flow.PackedRow{Delta: flow.Counters{
					Packets: rnd.Uint64N(values), Bytes: rnd.Uint64N(values), FrameBytes: rnd.Uint64N(values),
				}}
				rows[i] = keyed{o[0](r), r}
			}
			o.sort(rows)
			for i := 1; i < n; i++ {
				a, b := rows[i-1].row.Delta, rows[i].row.Delta
				if cmp.Or(cmp.Compare(b.Packets, a.Packets), cmp.Compare(a.Bytes, b.Bytes), cmp.Compare(b.FrameBytes, a.FrameBytes)) > 0 {
					t.Fatalf("%d rows, %d values: %+v before %+v", n, values, a, b)
				}
			}
		}
	}
}

// BenchmarkOrder sorts a million rows, with different and with equal first keys. It compares
// sorting key by key with comparing all keys at once.
func BenchmarkOrder(b *testing.B) {
	const n = 1 << 20
	order := byBytes(Interval)
	for _, differ := range []bool{true, false} {
		rnd := rand.New(rand.NewPCG(5, 6))
		all := make([]flow.PackedRow, n)
		rows := make([]keyed, n)
		for i := range all {
			r := record(rnd.Uint32(), 1, 64)
			if differ {
				r.Bytes = rnd.Uint64N(1 << 40)
				r.FrameBytes = r.Bytes + 14
			}
			all[i] = flow.PackedRow{Key: r.Key, Delta: r.Counters}
			rows[i] = keyed{order[0](&all[i]), &all[i]}
		}
		name := map[bool]string{true: "different", false: "equal"}[differ]
		for _, by := range []struct {
			name string
			sort func([]keyed)
		}{
			{"keys", order.sort},
			{"rows", func(rows []keyed) { slices.SortFunc(rows, order.compare) }},
		} {
			b.Run(name+"/"+by.name, func(b *testing.B) {
				for b.Loop() {
					by.sort(slices.Clone(rows))
				}
			})
		}
	}
}
