package influx

import (
	"errors"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/plugintest/sinktest"
	"github.com/pktstat/pktstat/registry"
)

// TestConformance checks pktstat's promises to users of an output, and compares the text with
// golden files. `go test ./influx -update` writes them.
func TestConformance(t *testing.T) {
	sinktest.Run(t, sinktest.Options{
		Name:     "influx",
		Variants: []sinktest.Variant{{Name: "measurement", Args: []string{"measurement=net traffic"}, Goldens: []string{"mixed"}}},
	})
}

func report(ifaceName string) *flow.Report {
	start := time.Unix(1_800_000_000, 0)
	r := &flow.Report{
		Final: true, Backend: "tc", Interfaces: []flow.Interface{{Index: 2, Name: ifaceName}},
		Start: start, End: start.Add(time.Second), Dims: flow.DimsFlow, RateLayer: flow.LayerFrame,
	}
	k := flow.Key{
		Src: netip.MustParseAddrPort("192.0.2.1:443"), Dst: netip.MustParseAddrPort("192.0.2.2:50000"),
		Proto: flow.TCP, Dir: flow.Ingress, Ifindex: 2,
	}
	c := flow.Counters{Packets: 10, Bytes: 1000, FrameBytes: 1140}
	r.Packed = append(r.Packed, &flow.PackedRow{Key: flow.Pack(k), Delta: c, Total: c})
	return r
}

// lines returns the points of a report's rows.
func lines(r *flow.Report) (all []string) {
	s := &sink{measurement: "m", series: map[string]int{}}
	for row := range r.Rows() {
		all = append(all, string(s.appendRow(nil, r, &row)))
	}
	return all
}

// TestDims: only fields that rows are grouped by become tags.
func TestDims(t *testing.T) {
	r := report("eth0")
	r.Dims = flow.DimDst
	for _, line := range lines(r) {
		if regexp.MustCompile(`proto=|src|dst_port|sub|vlan|direction|if`).MatchString(line) {
			t.Errorf("by dst: %s", line)
		}
	}
}

// TestHostileNames: a hostile name adds neither a point nor a tag.
func TestHostileNames(t *testing.T) {
	point := regexp.MustCompile(`^m(,[a-z_]+=(\\[,= ]|[^,= \\])+)+ packets=\d+[iu],bytes=\d+[iu],frame_bytes=\d+[iu] \d+\n$`)
	for _, name := range []string{"a b,c=d", "x\ninjected,sum=lost packets=0i", `end\`, "\x1b[2J", "\xff", "\u202e", "eth0"} {
		for _, line := range lines(report(name)) {
			if !point.MatchString(line) {
				t.Errorf("%q: %q", name, line)
			}
		}
	}
}

// TestRowsThatLookAlike: rows with equal tags get different series.
func TestRowsThatLookAlike(t *testing.T) {
	r := report("eth0")
	r.Packed = append(r.Packed, r.Packed[0], r.Packed[0])
	r.Dims = flow.DimNetNS // no row has it
	var series []string
	for _, line := range lines(r) {
		tags, _, _ := strings.Cut(line, " ")
		series = append(series, tags)
	}
	if want := []string{"m,span=run,backend=tc", "m,span=run,backend=tc,row=2", "m,span=run,backend=tc,row=3"}; !slices.Equal(series, want) {
		t.Errorf("series %q, want %q", series, want)
	}
}

// TestRetransmits: rows and sums with retransmits have a field for them.
func TestRetransmits(t *testing.T) {
	r := report("eth0")
	r.Sides = make([]flow.Side, len(r.Packed))
	r.Sides[0].Health.Total.Retransmits = 3
	if line := lines(r)[0]; !strings.Contains(line, ",retransmits=3i ") {
		t.Errorf("%q has no retransmits", line)
	}
}

func TestLargeCounters(t *testing.T) {
	for v, want := range map[uint64]string{0: "0i", 1<<63 - 1: "9223372036854775807i", 1 << 63: "9223372036854775808u"} {
		if got := string(appendUint(nil, v)); got != want {
			t.Errorf("%d: %s, want %s", v, got, want)
		}
	}
}

func TestFailedOpen(t *testing.T) {
	if _, err := (&config{}).Open(t.Context(), registry.OutputEnv{}); !errors.Is(err, registry.ErrUsage) {
		t.Errorf("without a measurement: %v", err)
	}
}
