package runrows

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestSelectWindow: the window has the elements that sorting everything would put there.
func TestSelectWindow(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		n := rng.IntN(200)
		values := make([]int, n)
		for i := range values {
			values[i] = rng.IntN(1 + rng.IntN(50)) // many equal ones
		}
		less := func(a, b int32) bool {
			if values[a] != values[b] {
				return values[a] < values[b]
			}
			return a < b
		}
		order := make([]int32, n)
		for i := range order {
			order[i] = int32(i)
		}
		rng.Shuffle(n, func(i, j int) { order[i], order[j] = order[j], order[i] })
		sorted := slices.Clone(order)
		slices.SortFunc(sorted, func(a, b int32) int {
			if less(a, b) {
				return -1
			}
			return 1
		})
		lo := rng.IntN(n + 1)
		hi := lo + rng.IntN(n-lo+20)
		SelectWindow(order, lo, hi, less)
		if got, want := order[lo:min(hi, n)], sorted[lo:min(hi, n)]; !slices.Equal(got, want) {
			t.Fatalf("window %d to %d of %d: %v, want %v", lo, hi, n, got, want)
		}
		slices.Sort(order)
		for i, v := range order {
			if v != int32(i) {
				t.Fatalf("elements are missing: %v", order)
			}
		}
	}
}
