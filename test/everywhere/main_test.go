package everywhere

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	_ "github.com/pktstat/pktstat/backends/pcap"
	"github.com/pktstat/pktstat/cmd"
	_ "github.com/pktstat/pktstat/labels/all"
	_ "github.com/pktstat/pktstat/outputs/all"
)

const runMain = "PKTSTAT_EVERYWHERE_RUN_MAIN"

// TestMain lets the test binary act as pktstat with the fields of this test.
func TestMain(m *testing.M) {
	if os.Getenv(runMain) != "" {
		os.Exit(cmd.Main())
	}
	os.Exit(m.Run())
}

const capture = "../../testdata/mix.pcap"

func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0], args...)
	c.Env = append(os.Environ(), runMain+"=1", "COLUMNS=", "NO_COLOR=1")
	return c
}

// run runs pktstat to its end, and returns its standard output.
func run(t *testing.T, args ...string) string {
	t.Helper()
	return output(t, command(t, args...))
}

func output(t *testing.T, c *exec.Cmd) string {
	t.Helper()
	var out, errs strings.Builder
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", c, err, errs.String())
	}
	return out.String()
}

// count counts the packets of the capture, by flow unless args say otherwise.
func count(t *testing.T, args ...string) string {
	t.Helper()
	if !slices.Contains(args, "--by") {
		args = append([]string{"--by", "flow"}, args...)
	}
	return run(t, append([]string{"--pcap-file", capture}, args...)...)
}

// report is the part of pktstat.report/v1 that contains fields of rows.
type report struct {
	By                          []string
	Sort                        string
	Total, Rest, Overflow, Lost sum
	Flows                       []row
}

type sum struct{ Packets, Doubled uint64 }

type row struct {
	Proto, Src string
	SrcPort    uint16 `json:"src_port"`
	PortClass  string `json:"port_class"`
	Realm      string
	sum
}

// counted returns a report as read from JSON.
func counted(t *testing.T, args ...string) *report {
	t.Helper()
	return parse(t, count(t, append([]string{"--output", "json"}, args...)...))
}

func parse(t *testing.T, text string) *report {
	t.Helper()
	r := new(report)
	if err := json.Unmarshal([]byte(text), r); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return r
}
