package test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pktstat/pktstat/internal/test/testenv"
)

const captures = "../testdata/captures/"

// capturedReport is what a JSON report says of times and rates.
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

// Start, duration and rates of a capture that is out of order do not depend on what other
// output is asked for, and are those of capinfos.
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
