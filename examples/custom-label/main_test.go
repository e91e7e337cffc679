package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
)

const runMain = "PKTSTAT_NET24_RUN_MAIN"

// TestMain lets the test binary act as the program, so that tests run it as users do.
func TestMain(m *testing.M) {
	if os.Getenv(runMain) != "" {
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

// TestListed: pktstat lists the label and its options with the labels of the repository.
func TestListed(t *testing.T) {
	out := run(t, "labels")
	for _, want := range []string{"net24: ", "--net24-v4 BITS", "service: ", "process: "} {
		if !strings.Contains(out, want) {
			t.Errorf("pktstat-net24 labels does not mention %s:\n%s", want, out)
		}
	}
}

// TestCapture: the packets by network add up to the packets of the capture.
func TestCapture(t *testing.T) {
	byNet := map[string]uint64{}
	for _, f := range flows(t, "--by", "net24") {
		byNet[f.Net24] += f.Packets
	}
	bySource := map[string]uint64{}
	for _, f := range flows(t, "--by", "src") {
		bits := 48
		if f.Src.Is4() {
			bits = 24
		}
		net := "" // "" for frames that are not IP
		if f.Src.IsValid() {
			net = netip.PrefixFrom(f.Src, bits).Masked().String()
		}
		bySource[net] += f.Packets
	}
	if fmt.Sprint(byNet) != fmt.Sprint(bySource) || len(byNet) < 3 {
		t.Errorf("by network %v, by source %v", byNet, bySource)
	}
	for _, f := range flows(t) {
		if f.Src.IsValid() && f.Net24 == "" {
			t.Errorf("a flow has no network: %+v", f)
		}
	}
}

type row struct {
	Src     netip.Addr
	Net24   string
	Packets uint64
}

func flows(t *testing.T, args ...string) []row {
	t.Helper()
	var r struct{ Flows []row }
	out := run(t, append(args, "--pcap-file", "../../testdata/mix.pcap", "--output", "json")...)
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	return r.Flows
}
