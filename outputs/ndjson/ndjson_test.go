package ndjson

import (
	"strings"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/plugintest/sinktest"
)

func TestConformance(t *testing.T) {
	sinktest.Run(t, sinktest.Options{Name: "ndjson"})
}

// TestBriefLines: only the first and the last line have the fields that are the same in the whole
// run. Every line has the host.
func TestBriefLines(t *testing.T) {
	var reports []*flow.Report
	for _, g := range sinktest.Goldens() {
		if g.Name == "intervals" {
			reports = g.Reports
		}
	}
	for _, r := range reports {
		r.Alternatives = []flow.Alternative{{Backend: "other", Why: "dearer"}}
	}
	lines := strings.Split(strings.TrimSpace(string(sinktest.Render(t, "ndjson", sinktest.Variant{}, reports...))), "\n")
	for i, line := range lines {
		if !strings.Contains(line, `"host":"web-3"`) {
			t.Errorf("line %d has no host: %s", i, line)
		}
		for _, field := range []string{"kernel", "version", "args", "alternatives"} {
			if got, want := strings.Contains(line, `"`+field+`":`), i != 1; got != want {
				t.Errorf("line %d has %s: %t, want %t", i, field, got, want)
			}
		}
	}
	if len(lines) != 3 || len(reports[1].Alternatives) != 1 {
		t.Errorf("%d lines; the report has changed to %+v", len(lines), reports[1])
	}
}
