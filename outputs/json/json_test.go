package json

import (
	"testing"

	"github.com/pktstat/pktstat/plugintest/sinktest"
)

func TestConformance(t *testing.T) {
	sinktest.Run(t, sinktest.Options{
		Name:     "json",
		Variants: []sinktest.Variant{{Name: "pretty", Args: []string{"pretty=true"}, Goldens: []string{"sums", "empty"}}},
	})
}

func BenchmarkJSON(b *testing.B) { sinktest.Benchmark(b, "json", 100_000) }
