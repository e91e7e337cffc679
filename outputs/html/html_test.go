package html

import (
	"bytes"
	"testing"

	"github.com/pktstat/pktstat/plugintest/sinktest"
)

func TestConformance(t *testing.T) {
	sinktest.Run(t, sinktest.Options{Name: "html", Gathers: true, Compared: data})
}

// data returns the part of the file that depends on the report.
func data(page []byte) []byte {
	start := bytes.Index(page, []byte(`<script type="application/json" id="data-report">`))
	end := bytes.LastIndex(page, []byte("<script>"))
	if start < 0 || end < start {
		return page
	}
	return page[start:end]
}

func BenchmarkHTML(b *testing.B) { sinktest.Benchmark(b, "html", listedFlows) }
