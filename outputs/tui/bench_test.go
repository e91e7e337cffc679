package tui

import (
	"testing"
)

// BenchmarkRefresh measures the store and the list with reports of 100,000 rows.
func BenchmarkRefresh(b *testing.B) {
	w := newNetwork(crowd(100_000))
	m := newModel(newStore(), newTheme(false), format{})
	for range 2 {
		report(m, w.next())
	}
	r := w.next()
	b.Run("store", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.store.add(r)
		}
	})
	for _, keys := range []string{"0", "3", "P", "Fftcp[enter]"} {
		press(m, keys)
		b.Run(keys, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.refresh()
				_ = m.frame()
			}
		})
	}
}
