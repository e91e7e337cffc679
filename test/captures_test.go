package test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pktstat/pktstat/internal/test/testenv"
)

const captures = "../testdata/captures/"

// capturedReport is the times and rates of a JSON report.
type capturedReport struct {
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	Duration float64   `json:"duration_s"`
	Flows    []struct {
		Src   string    `json:"src"`
		BPS   float64   `json:"bps"`
		First time.Time `json:"first"`
	} `json:"flows"`
}

// TestCaptureOutOfOrder: other outputs do not change start, duration and rates of a capture that is
// out of order. capinfos reports the same duration.
func TestCaptureOutOfOrder(t *testing.T) {
	const file = captures + "out-of-order.pcap"
	dir := t.TempDir()
	var first capturedReport
	for i, others := range [][]string{nil, {"ndjson"}, {"html"}, {"ndjson", "html", "csv"}} {
		at := filepath.Join(dir, "report.json")
		args := []string{"--pcap-file", file, "--output", "json=" + at, "--output", "table=" + filepath.Join(dir, "table")}
		for _, o := range others {
			args = append(args, "--output", o+"="+filepath.Join(dir, o))
		}
		run(t, args...)
		text, err := os.ReadFile(at)
		if err != nil {
			t.Fatal(err)
		}
		var r capturedReport
		if err := json.Unmarshal(text, &r); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = r
		}
		if r.Start != first.Start || r.End != first.End || r.Duration != first.Duration || len(r.Flows) != 2 {
			t.Errorf("with %v: %+v, want %+v", others, r, first)
		}
		for i, f := range r.Flows {
			if f != first.Flows[i] || f.First.Before(r.Start) {
				t.Errorf("with %v: %+v, want %+v", others, f, first.Flows[i])
			}
		}
		heading, err := os.ReadFile(filepath.Join(dir, "table"))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(heading), "2010-09-20 23:55:53 UTC") {
			t.Errorf("with %v: %s", others, heading)
		}
	}
	capinfos := testenv.Tool(t, "capinfos", "wireshark-common")
	out, err := exec.Command(capinfos, "-aeu", "-S", "-T", "-r", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(out)) // file, duration, first, last
	if n := len(fields); n < 4 || fields[n-3] != jsonNumber(first.Duration) {
		t.Errorf("duration %v, capinfos %q", first.Duration, fields)
	}
}

func jsonNumber(f float64) string {
	b, err := json.Marshal(f)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// TestCaptureLinkTypes: captures that pktstat refused or did not finish because of a link type.
func TestCaptureLinkTypes(t *testing.T) {
	for file, want := range map[string][]string{
		"linktype12-raw.pcap": {`TCP \[2001:db8::1\]:35995 > \[2001:db8:80::5\]:80 .*packets=1 bytes=60 frame_bytes=60`},
		"mixed-ethernet-radiotap.pcapng": {
			`#1 UDP 192\.0\.2\.1:1000 > 198\.51\.100\.2:53 .*packets=2 bytes=56 frame_bytes=84`,
			`#2 ETH - > - ethertype=0x0180 packets=1 bytes=0 frame_bytes=38`,
			`(?m)^total packets=3 `,
		},
	} {
		out := run(t, "--pcap-file", captures+file, "--output", "plain")
		for _, w := range want {
			if !regexp.MustCompile(w).MatchString(out) {
				t.Errorf("%s: %s\nwant %s", file, out, w)
			}
		}
	}
}
