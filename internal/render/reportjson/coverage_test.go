package reportjson

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/flow"
)

// TestCoverage: a report has the coverage if the backend can tell, also if it is empty.
func TestCoverage(t *testing.T) {
	type jsonCoverage struct {
		Iface, Direction string
		Packets          uint64
		InterfacePackets uint64 `json:"interface_packets"`
		Percent          float64
		FrameBytes       uint64  `json:"frame_bytes"`
		InterfaceBytes   uint64  `json:"interface_bytes"`
		BytesPercent     float64 `json:"bytes_percent"`
		Segments         bool
		Reasons          []string
		BytesReasons     []string `json:"bytes_reasons"`
	}
	eth0 := flow.Interface{Index: 2, Name: "eth0"}
	all := []flow.Coverage{
		{Interface: eth0, Dir: flow.Ingress, Packets: 9, LinkPackets: 10, FrameBytes: 900, LinkBytes: 1000, Reasons: []string{"one", "two"}},
		{Interface: eth0, Dir: flow.Egress, Packets: 5, LinkPackets: 5, FrameBytes: 570, LinkBytes: 500, Segments: true, ByteReasons: []string{"three"}},
	}
	want := []jsonCoverage{
		{"eth0", "ingress", 9, 10, 90, 900, 1000, 90, false, []string{"one", "two"}, nil},
		{"eth0", "egress", 5, 5, 100, 570, 500, 114, true, nil, []string{"three"}},
	}
	s := compileSchema(t)
	for _, c := range []struct {
		all  []flow.Coverage
		want []jsonCoverage
	}{{nil, nil}, {[]flow.Coverage{}, []jsonCoverage{}}, {all, want}} {
		text := encode(t, &flow.Report{Backend: "tc", Coverage: c.all})
		if err := validate(s, text); err != nil {
			t.Errorf("%v in\n%s", err, text)
		}
		var got struct{ Coverage []jsonCoverage }
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got.Coverage, c.want) {
			t.Errorf("%+v, want %+v", got.Coverage, c.want)
		}
	}
	if text := string(encode(t, &flow.Report{Backend: "tc"})); strings.Contains(text, "coverage") {
		t.Errorf("a backend that cannot tell: %s", text)
	}
}
