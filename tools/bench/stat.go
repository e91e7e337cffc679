package bench

import (
	"math"
	"slices"
)

// Stat describes the values of all rounds.
type Stat struct {
	Median float64 `json:"median"`
	P10    float64 `json:"p10"`
	P90    float64 `json:"p90"`
}

// stat returns the median and the 10th and 90th percentile, by nearest rank. It ignores NaN. ok is
// false if no number is left.
func stat(values []float64) (s Stat, ok bool) {
	v := slices.DeleteFunc(slices.Clone(values), func(x float64) bool {
		return math.IsNaN(x) || math.IsInf(x, 0)
	})
	if len(v) == 0 {
		return Stat{}, false
	}
	slices.Sort(v)
	at := func(p float64) float64 { return v[int(math.Round(p*float64(len(v)-1)))] }
	return Stat{Median: at(0.5), P10: at(0.1), P90: at(0.9)}, true
}
