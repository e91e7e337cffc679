package cmd

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/choose"
	"github.com/pktstat/pktstat/registry"
)

// pickyBackend is a fakeBackend with checks for interfaces.
type pickyBackend struct {
	*fakeBackend
	asked *[]string
}

func (b pickyBackend) ProbeInterface(_ context.Context, i flow.Interface) registry.ProbeResult {
	*b.asked = append(*b.asked, i.Name)
	return registry.ProbeResult{
		Verdict: registry.No, Err: registry.ErrUnsupported,
		Checks: []registry.Check{{Name: "room", Verdict: registry.No, Reason: "there is none", Remedy: "make some"}},
	}
}

func probeOf(t *testing.T, b *bench, args ...string) probeReport {
	t.Helper()
	if code := b.run(t.Context(), append([]string{"probe", "--json"}, args...)...); code != 0 || b.stderr.Len() > 0 {
		t.Fatalf("exit code %d: %s", code, b.stderr.String())
	}
	var r probeReport
	d := json.NewDecoder(strings.NewReader(b.stdout.String()))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestProbeReport: the report has the results of the plugins' probes, and the conclusions.
func TestProbeReport(t *testing.T) {
	b := newBench(t)
	var asked []string
	picky := b.registered["live"]
	picky.New = func() registry.BackendConfig { return pickyBackend{b.live, &asked} }
	b.registered["live"] = picky
	b.live.probe.Checks = []registry.Check{{Name: "programs", Since: "5.10", Detail: "seven"}}
	r := probeOf(t, b, "-i", "lo")
	if r.Schema != "pktstat.probe/v1" || r.Kernel == "" || r.Arch == "" || strings.Join(r.Interfaces, " ") != "lo" || len(r.Host) == 0 {
		t.Errorf("%+v", r)
	}
	if len(asked) != 1 || asked[0] != "lo" {
		t.Errorf("probed %q", asked)
	}
	if len(r.Backends) != 3 {
		t.Fatalf("%d backends", len(r.Backends))
	}
	live := r.Backends[0]
	if live.Name != "live" || live.Verdict != "no" || live.Cost != "qdisc" || live.Reason != "not supported: make some" ||
		live.Checks[0].Since != "5.10" || live.Checks[0].Detail != "seven" || live.Checks[0].Verdict != "supported" ||
		live.Interfaces[0].Name != "lo" || live.Interfaces[0].Checks[0].Remedy != "make some" {
		t.Errorf("%+v", live)
	}
	// spare does not count on interfaces, and the test names one.
	if r.Auto.Backend != "" || r.Auto.ExitCode != 3 || !strings.Contains(r.Auto.Error, "backend live: not supported") {
		t.Errorf("auto: %+v", r.Auto)
	}
	if r.Remedy != "" {
		t.Errorf("remedy %q", r.Remedy)
	}
}

// TestProbeAuto: the probe predicts what a count does.
func TestProbeAuto(t *testing.T) {
	b := newBench(t)
	driver := b.registered["live"]
	driver.Caps, driver.Cost = driver.Caps&^registry.CapEgress, registry.CostDriver
	driver.New = func() registry.BackendConfig { return b.spare }
	b.registered["driver"] = driver
	r := probeOf(t, b, "-i", "lo")
	if r.Auto.Backend != "live" || r.Auto.ExitCode != 0 || r.Auto.Error != "" {
		t.Errorf("auto: %+v", r.Auto)
	}
	want := "counting on lo (live, fake); " + r.Auto.Reason + "\n"
	for _, o := range r.Auto.Alternatives {
		want += "debug: backend " + o.Backend + " is not taken: " + o.Reason + "\n"
	}
	if code := b.run(t.Context(), "-i", "lo", "-t", "10ms", "--debug"); code != 0 {
		t.Fatalf("exit code %d: %s", code, b.stderr.String())
	}
	if got := b.stderr.String(); !strings.Contains(got, want) || !strings.Contains(want, "driver is not taken: egress is not seen") {
		t.Errorf("stderr %q, want %q", got, want)
	}
}

// TestProbeWithoutPermission: the remedy names the capabilities and the command.
func TestProbeWithoutPermission(t *testing.T) {
	b := newBench(t)
	caps := []string{"cap_net_admin", "cap_bpf"}
	b.live.probe = registry.ProbeResult{
		Verdict: registry.Inconclusive, Err: registry.NeedCaps(nil, caps...),
		Checks: []registry.Check{{Name: "programs", Verdict: registry.Inconclusive, Reason: "needs much", Caps: caps}},
	}
	b.spare.probe = b.live.probe
	r := probeOf(t, b)
	check := r.Backends[0].Checks[0]
	if check.Remedy != "run it as root, or once: sudo setcap cap_net_admin,cap_bpf=+ep /opt/pktstat" || strings.Join(check.Needs, " ") != "cap_net_admin cap_bpf" {
		t.Errorf("%+v", check)
	}
	if want := "run it as root, or once: sudo setcap cap_bpf,cap_net_admin=+ep /opt/pktstat"; r.Remedy != want || r.Auto.ExitCode != 4 {
		t.Errorf("remedy %q, want %q; auto %+v", r.Remedy, want, r.Auto)
	}
	if code := b.run(t.Context(), "probe"); code != 0 {
		t.Errorf("exit code %d: %s", code, b.stderr.String())
	}
	for _, want := range []string{
		" would not count (exit code 4): backend live: needs root or cap_net_admin,cap_bpf",
		"live: inconclusive\n  inconclusive  programs: needs much\n",
		"reader: supported\n", "\nMachine: Linux ", "sudo setcap cap_bpf,cap_net_admin=+ep /opt/pktstat\n",
	} {
		if !strings.Contains(b.stdout.String(), want) {
			t.Errorf("no %q in\n%s", want, b.stdout.String())
		}
	}
}

// TestProbeText: one paragraph lists what works; the rest has reasons and remedies.
func TestProbeText(t *testing.T) {
	r := probeReport{
		Kernel: "6.6.0", Arch: "x86_64", Interfaces: []string{"a", "b"},
		Auto: autoReport{Backend: "x", Reason: choose.ByAuto + "the cheapest", Alternatives: []alternativeReport{{"y", "costs more"}}},
		Backends: []backendReport{{
			Name: "x", Verdict: "supported",
			Checks: []checkReport{
				{Name: "one", Verdict: "supported"},
				{Name: "two", Verdict: "no", Since: "9.9", Reason: "not supported: too old", Detail: "8.8", Remedy: "wait"},
				{Name: "three", Verdict: "supported", Detail: "3"},
				{Name: "four", Verdict: "inconclusive", Reason: "needs cap_x", Needs: []string{"cap_x"}, Remedy: "setcap"},
				{Name: "five", Verdict: "inconclusive", Reason: "needs cap_x", Needs: []string{"cap_x"}, Remedy: "setcap"},
			},
			Interfaces: []interfaceReport{{Name: "a", Checks: []checkReport{{Name: "six", Verdict: "supported"}}}},
		}},
	}
	want := `pktstat -i a -i b would count by x: the cheapest
  not y: costs more

Backends:
x: supported
  supported     one, three (3)
  inconclusive  four, five: needs cap_x
  no            two (since Linux 9.9): too old (8.8)
                -> wait
  on a
  supported     six

Machine: Linux 6.6.0, x86_64:
`
	if got := r.text(helpWidth); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestProbeOfMissingInterface(t *testing.T) {
	b := newBench(t)
	if code := b.run(t.Context(), "probe", "-i", "nosuch0"); code != 2 || !strings.Contains(b.stderr.String(), `interface "nosuch0" does not exist`) || b.stdout.Len() > 0 {
		t.Errorf("exit code %d, %q", code, b.stderr.String())
	}
}
