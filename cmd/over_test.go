package cmd

import (
	"testing"
	"time"

	"github.com/pktstat/pktstat/internal/count/engine"
)

func TestThreshold(t *testing.T) {
	for _, tc := range []struct {
		text   string
		of     engine.Measure
		limit  float64
		window time.Duration
	}{
		{"rate=1Gbit/5s", engine.MeasureBits, 1e9, 5 * time.Second},
		{"rate=1.5Mbps", engine.MeasureBits, 1.5e6, time.Second},
		{"rate=10MB/100ms", engine.MeasureBits, 8e7, 100 * time.Millisecond},
		{"rate=100", engine.MeasureBits, 100, time.Second},
		{"rate=2KiB", engine.MeasureBits, 2048 * 8, time.Second},
		{"pps=100k/1m", engine.MeasurePackets, 1e5, time.Minute},
		{"rate=1Gbit/s", engine.MeasureBits, 1e9, time.Second},
		{"pps=100k/2.5", engine.MeasurePackets, 1e5, 2500 * time.Millisecond},
		{"packets=0", engine.MeasureTotalPackets, 0, 0},
		{"bytes=3GiB", engine.MeasureTotalBytes, 3 << 30, 0},
		{"bytes=3T", engine.MeasureTotalBytes, 3e12, 0},
	} {
		got, err := parseThreshold(tc.text)
		if want := (engine.Threshold{Of: tc.of, Limit: tc.limit, Window: tc.window, Text: "--exit-over " + tc.text}); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", tc.text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"":                 "must be KEY=VALUE, like rate=1Gbit/5s or packets=1M",
		"1Gbit":            "must be KEY=VALUE, like rate=1Gbit/5s or packets=1M",
		"speed=1":          `unknown key "speed": there are rate, pps, bytes, packets`,
		"rate=":            `"" is not an amount like 100, 1.5G or 20Mbit`,
		"rate=-1":          `"-1" is not an amount like 100, 1.5G or 20Mbit`,
		"rate=inf":         `"inf" is not an amount like 100, 1.5G or 20Mbit`,
		"rate=1e999":       `"1e999" is not an amount like 100, 1.5G or 20Mbit`,
		"rate=1Gxyz":       `"1Gxyz": unknown unit "Gxyz": use k, M, G or T, and B, Bps, bit, bps`,
		"packets=1kbit":    `"1kbit": unknown unit "kbit": use k, M, G or T`,
		"rate=1G/":         "not a duration: use seconds, or a number with a unit, like 10, 30s, 5m or 1h30m",
		"rate=1G/1us":      "a window must have at least 1ms",
		"bytes=1M/5s":      "bytes is of the whole run: a window (/5s) makes no sense",
		"rate=1G/5s/twice": "not a duration: use seconds, or a number with a unit, like 10, 30s, 5m or 1h30m",
	} {
		if got, err := parseThreshold(text); err == nil || err.Error() != want {
			t.Errorf("%q: %+v, %v; want %s", text, got, err, want)
		}
	}
}
