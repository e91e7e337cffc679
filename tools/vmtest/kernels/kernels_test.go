package kernels

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	_ "github.com/pktstat/pktstat/backends/all"
	"github.com/pktstat/pktstat/internal/test/linuxversion"
	"github.com/pktstat/pktstat/internal/test/testnet"
	"github.com/pktstat/pktstat/tools/vmtest"
)

const records = "testdata"

// TestMachine runs in the machines of the matrix. The probes must have the recorded results for
// this kernel, and auto must choose the recorded backend. The test sends its results to the host,
// where `make kernels` records them.
func TestMachine(t *testing.T) {
	name := os.Getenv("PKTSTAT_KERNEL_NAME")
	if name == "" {
		return // outside of the matrix, the features of the kernel are unknown
	}
	running, err := linuxversion.Running()
	if err != nil {
		t.Fatal(err)
	}
	got := &Record{Version: running.String(), Backends: Probe(t.Context())}
	got.Auto, got.Attach = auto(t)
	out := filepath.Join(os.Getenv("PKTSTAT_OUT"), "probes")
	if err := os.MkdirAll(out, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := got.Write(filepath.Join(out, File(name))); err != nil {
		t.Fatal(err)
	}
	for _, b := range got.Backends {
		for _, c := range b.Checks {
			checkSince(t, running, b.Name, c)
		}
	}
	if os.Getenv("PKTSTAT_RECORD") != "" {
		return
	}
	want, err := Read(filepath.Join(records, File(name)))
	if err != nil {
		t.Fatal(err)
	}
	want.Version = got.Version // a newer one of the same suite is fine
	if !reflect.DeepEqual(got, want) {
		g, w := text(t, got), text(t, want)
		t.Errorf("if this is correct, run make kernels and commit:\n%s\nrecorded:\n%s", g, w)
	}
}

// checkSince: a kernel has the features of its version, and no later ones.
func checkSince(t *testing.T, running linuxversion.Version, backend string, c Check) {
	t.Helper()
	if c.Since == "" {
		return
	}
	since, err := linuxversion.Parse(c.Since)
	if err != nil {
		t.Errorf("%s, %s: %v", backend, c.Name, err)
		return
	}
	if supported := c.Verdict == "supported"; supported == running.Before(since) {
		t.Errorf("%s, %s: Linux has it since %s, and on %s the verdict is %s", backend, c.Name, c.Since, running, c.Verdict)
	}
}

// auto runs pktstat as users do, and returns the backend that counts and its attach method.
func auto(t *testing.T) (backend, attach string) {
	t.Helper()
	on, _ := testnet.Pair(t, testnet.Link{})
	cmd := on.Command(os.Getenv("PKTSTAT_BIN"), "-i", on.Name, "-t", "1s", "--output", "json")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := on.Run(cmd); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, &stderr)
	}
	var report struct{ Backend, Attach string }
	if err := json.Unmarshal(stdout.Bytes(), &report); err != nil {
		t.Fatalf("%v in %s", err, &stdout)
	}
	return report.Backend, report.Attach
}

func text(t *testing.T, r *Record) string {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(b), `{"name":`, "\n"+`{"name":`)
}

// TestDocument: docs/kernels.md matches the records. The matrix compares the records with its
// results.
func TestDocument(t *testing.T) {
	all, err := Load(records)
	if err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile("../../../docs/kernels.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := Table(vmtest.Kernels, all); string(document) != want {
		t.Errorf("docs/kernels.md does not match the records: run make kernels. It should be\n%s", want)
	}
}

// TestRecords: the records of an architecture are in the order of kernel versions, and each has
// every backend.
func TestRecords(t *testing.T) {
	all, err := Load(records)
	if err != nil {
		t.Fatal(err)
	}
	var last linuxversion.Version
	for i, r := range all {
		v, err := linuxversion.Parse(r.Version)
		if err != nil {
			t.Fatal(err)
		}
		sameArch := i > 0 && vmtest.Kernels[i].Arch == vmtest.Kernels[i-1].Arch
		if sameArch && v.Before(last) {
			t.Errorf("%s comes after %s", v, last)
		}
		last = v
		var have []string
		for _, b := range r.Backends {
			have = append(have, b.Name)
			for _, c := range b.Checks {
				checkSince(t, v, b.Name, c)
			}
		}
		if want := names(all); !slices.Equal(have, want) {
			t.Errorf("%s has a record of %q, others of %q", r.Version, have, want)
		}
		if r.verdict(r.Auto, nil) != "supported" {
			t.Errorf("%s: auto chose %q, whose probe result is %q", r.Version, r.Auto, r.verdict(r.Auto, nil))
		}
	}
}

func TestTable(t *testing.T) {
	kernels := []vmtest.Kernel{
		{Suite: "s", Arch: vmtest.AMD64}, {Suite: "t", Arch: vmtest.AMD64, ByName: true}, {Suite: "s", Arch: vmtest.ARM64},
	}
	got := Table(kernels, []Record{
		{Version: "5.1", Auto: "a", Attach: "x", Backends: []Backend{
			{"a", "supported", []Check{{"old", "4.1", "supported"}, {"new", "6.1", "no"}}},
		}},
		{Version: "6.2", Auto: "b", Attach: "y", Backends: []Backend{
			{"a", "supported", []Check{{"old", "4.1", "supported"}, {"new", "6.1", "supported"}, {"only here", "", "inconclusive"}}},
			{"b", "no", nil},
		}},
		{Version: "6.3", Auto: "a", Attach: "z", Backends: []Backend{{"a", "no", []Check{{"new", "6.4", "no"}}}}},
	})
	for _, want := range []string{
		"\n## amd64\n\n| | Linux 5.1 | Linux 6.2 * |\n|---|---|---|\n",
		"Debian's | s | t |\n",
		"takes | a (x) | b (y) |\n",
		"\n### a\n\n| | 5.1 | 6.2 |\n|---|---|---|\n| **usable** | yes | yes |\n" +
			"| old, since 4.1 | yes | yes |\n| new, since 6.1 | no | yes |\n| only here |  | ? |\n",
		"\n### b\n\n| | 5.1 | 6.2 |\n|---|---|---|\n| **usable** |  | no |\n",
		"\n## arm64\n\n| | Linux 6.3 |\n|---|---|\n",
		"takes | a (z) |\n\n### a\n\n| | 6.3 |\n|---|---|\n| **usable** | no |\n| new, since 6.4 | no |\n",
	} {
		want = strings.ReplaceAll(want, "| | ", "|  | ")
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}
