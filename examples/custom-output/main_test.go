package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const runMain = "PKTSTAT_INFLUX_RUN_MAIN"

// TestMain lets the test binary act as the program, so that tests run it as users do.
func TestMain(m *testing.M) {
	if os.Getenv(runMain) != "" {
		if os.Getenv(extraFields) != "" {
			registerExtra()
		}
		main()
	}
	os.Exit(m.Run())
}

func run(t *testing.T, args ...string) (stdout string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), runMain+"=1")
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, errs.String())
	}
	return out.String()
}

// TestListed: pktstat lists the output and its options with the outputs of the repository.
func TestListed(t *testing.T) {
	out := run(t, "outputs")
	for _, want := range []string{"influx", "measurement", "table", "ndjson"} {
		if !strings.Contains(out, want) {
			t.Errorf("pktstat-influx outputs does not mention %s:\n%s", want, out)
		}
	}
}

// TestCapture: the points of a capture add up. Flows add up to the total of a report, and intervals
// to the run.
func TestCapture(t *testing.T) {
	file := filepath.Join(t.TempDir(), "run.influx")
	run(t, "--pcap-file", "../../testdata/mix.pcap", "-r", "1s", "--output", "influx="+file+",measurement=net")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	point := regexp.MustCompile(`^(net|net_sum),span=(interval|run),backend=pcap,.* packets=(\d+)i,bytes=(\d+)i,`)
	packets := map[string]uint64{}
	for line := range strings.Lines(string(text)) {
		m := point.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("no point: %q", line)
		}
		n, err := strconv.ParseUint(m[3], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case strings.Contains(line, ",sum=total "):
			packets[m[2]+" total"] += n
		default:
			packets[m[2]] += n // flows, rest, overflow, lost
		}
	}
	run := packets["run"]
	if run == 0 || packets["run total"] != run || packets["interval total"] != run || packets["interval"] != run {
		t.Errorf("the points add up to %v", packets)
	}
}
