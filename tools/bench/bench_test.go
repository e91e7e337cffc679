package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	_ "github.com/pktstat/pktstat/backends/cgroup"
	_ "github.com/pktstat/pktstat/backends/kprobe"
	_ "github.com/pktstat/pktstat/backends/tc"
	_ "github.com/pktstat/pktstat/backends/xdp"
	"github.com/pktstat/pktstat/internal/test/testenv"
)

const root = "../.."

// hooks returns the hooks that have a program.
func hooks(t *testing.T) []Hook {
	t.Helper()
	var hs []Hook
	for _, h := range []Hook{HookTC, HookXDP} {
		if _, err := os.Stat(root + "/" + ourObjects[h]); err == nil {
			hs = append(hs, h)
		}
	}
	if len(hs) == 0 {
		t.Fatalf("no program in %v", ourObjects)
	}
	return hs
}

// TestRun runs the whole protocol at a small scale. It checks what was measured, and that all
// packets are accounted for, but no times.
func TestRun(t *testing.T) {
	testenv.Privileged(t)
	c := Config{
		Root: root, Hooks: hooks(t), Scale: Quick(),
		Progress: t.Logf,
	}
	r, err := Run(t.Context(), c)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	for _, name := range Experiments() {
		i := slices.IndexFunc(r.Groups, func(g Group) bool { return g.Experiment == name })
		if i < 0 && !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.HasPrefix(n, name) }) {
			t.Errorf("no result of experiment %s, and no note why", name)
		}
	}
	for i := range r.Groups {
		checkGroup(t, &r.Groups[i], c.Scale.Rounds)
	}
	// Every kernel that tests run on has these hooks.
	for _, h := range []Hook{HookTC, HookXDP, HookCgroup, HookTracepoint} {
		if !slices.ContainsFunc(r.Groups, func(g Group) bool { return g.Experiment == "stack" && g.Hook == h }) {
			t.Errorf("no socket traffic was measured at %s: %q", h, r.Notes)
		}
	}
	if want := 2 * len(c.Hooks); len(r.Floods) != want { // IPv4 and IPv6
		t.Errorf("%d floods, want %d", len(r.Floods), want)
	}
	for _, f := range r.Floods {
		if f.Program != Ours || f.UnaccountedPackets != 0 || f.UnaccountedBytes != 0 || f.Elephants != elephants {
			t.Errorf("flood: %+v", f)
		}
	}
	checkWritten(t, r)
}

func checkGroup(t *testing.T, g *Group, rounds int) {
	t.Helper()
	want := []string{Empty, Floor, Ours}
	switch {
	case g.Experiment == "stack":
		want = wantTaps(g)
	case g.Experiment == "report":
		want = []string{Ours}
	case g.Experiment == "micro" && g.Hook == HookXDP && havePartsHelper():
		want = append(want, Parts)
	}
	for i, s := range g.Series {
		if i >= len(want) || s.Program != want[i] {
			t.Errorf("%+v: series %d is %s", g.Case, i, s.Program)
		}
		if len(s.Rounds) != rounds {
			t.Errorf("%+v: %s has %d rounds, want %d", g.Case, s.Program, len(s.Rounds), rounds)
		}
		for _, v := range s.Rounds {
			if v <= 0 && g.Unit != UnitMegabytes {
				t.Errorf("%+v: %s measured %v %s", g.Case, s.Program, v, g.Unit)
			}
		}
	}
	if len(g.Series) != len(want) {
		t.Errorf("%+v: %d programs, want %d", g.Case, len(g.Series), len(want))
	}
}

func checkWritten(t *testing.T, r *Result) {
	t.Helper()
	r.Judge()
	var b bytes.Buffer
	if err := r.WriteMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(b.String(), "\n") {
		if strings.HasPrefix(line, "|") && strings.Contains(line, "NaN") {
			t.Errorf("not a number: %s", line)
		}
	}
	b.Reset()
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var back Result
	if err := json.Unmarshal(b.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if len(back.Groups) != len(r.Groups) || len(back.Floods) != len(r.Floods) {
		t.Errorf("JSON has %d groups and %d floods of %d and %d", len(back.Groups), len(back.Floods), len(r.Groups), len(r.Floods))
	}
}

func TestUnknownExperiment(t *testing.T) {
	_, err := Run(t.Context(), Config{Experiments: []string{"nope"}})
	if err == nil || !strings.Contains(err.Error(), `"nope"`) {
		t.Error(err)
	}
}

// TestDriver: with any program, the driver makes the given number of flows, each with its share of
// packets.
func TestDriver(t *testing.T) {
	testenv.Privileged(t)
	th, err := pin(0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := th.unpin(); err != nil {
			t.Error(err)
		}
	}()
	const flows = 1 << 10
	seq, err := newSequence(4 * flows)
	if err != nil {
		t.Fatal(err)
	}
	defer seq.close()
	seq.uniform(flows, (&runner{}).random())
	for _, hook := range hooks(t) {
		for _, kind := range []packet{udp4, udp6} {
			p, err := ours{label: Ours, root: root}.load(loadOptions{hook: hook, flows: 8 * flows})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { p.close() })
			if err := p.drive(traffic{sequence: seq}); err != nil {
				t.Fatal(err)
			}
			if _, err := th.drive(t.Context(), p, kind.frame(64), flows/2, 3*flows); err != nil {
				t.Fatal(err)
			}
			got, err := p.tally()
			if err != nil {
				t.Fatal(err)
			}
			if got.packets != 3*flows || got.bytes != 3*flows*50 || len(got.flows) != flows {
				t.Errorf("%s %s: %d packets, %d bytes, %d flows", hook, kind.name, got.packets, got.bytes, len(got.flows))
			}
			slices.Sort(got.flows)
			// The run has half a round, two whole rounds and half a round.
			if got.flows[0] < 2 || got.flows[flows-1] > 4 {
				t.Errorf("%s %s: flows have %d to %d packets", hook, kind.name, got.flows[0], got.flows[flows-1])
			}
		}
	}
}

// TestZipf: the first flow has its share, and every flow occurs.
func TestZipf(t *testing.T) {
	testenv.Privileged(t)
	const flows, n = 1 << 8, 1 << 16
	seq, err := newSequence(n)
	if err != nil {
		t.Fatal(err)
	}
	defer seq.close()
	seq.zipf(flows, (&runner{}).random())
	counts := make([]int, flows)
	for i := range n {
		counts[seq.flow[2*i]]++
	}
	harmonic := 0.0
	for k := range flows {
		harmonic += 1 / float64(k+1)
	}
	if share := float64(counts[0]) / n * harmonic; share < 0.9 || share > 1.1 {
		t.Errorf("the first flow has %d packets of %d: %.2f of its share", counts[0], n, share)
	}
	if i := slices.Index(counts, 0); i >= 0 {
		t.Errorf("flow %d has no packet", i)
	}
}

func TestCanceled(t *testing.T) {
	testenv.Privileged(t)
	c := Config{Root: root, Hooks: hooks(t)[:1], Scale: Quick()}
	c.Progress = t.Logf
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := Run(ctx, c)
	if !errors.Is(err, context.Canceled) || len(r.Groups) != 0 {
		t.Errorf("%d groups, %v", len(r.Groups), err)
	}
}
