package bench

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/internal/test/testenv"
)

// TestStack measures the time of a call for socket traffic, on the kernels of the matrix. These
// have fentry and kprobes. It measures once, or fully if PKTSTAT_BENCH is set (make bench-stack),
// and sends the result to the host. On the host itself, TestRun does it.
func TestStack(t *testing.T) {
	testenv.Machine(t)
	c := Config{Experiments: []string{"stack"}, Stack: []Hook{HookFentry, HookKprobe}, Scale: Quick(), Progress: t.Logf}
	c.Scale.Rounds = 1
	if os.Getenv("PKTSTAT_BENCH") != "" {
		c.Stack = append(c.Stack, HookCgroup, HookTracepoint)
		c.Scale.Rounds, c.Scale.Exchanges = 5, 1000
	}
	r, err := Run(t.Context(), c)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	for i := range r.Groups {
		checkGroup(t, &r.Groups[i], c.Scale.Rounds)
	}
	for _, h := range c.Stack {
		if !slices.ContainsFunc(r.Groups, func(g Group) bool { return g.Hook == h }) {
			t.Errorf("no socket traffic was measured at %s: %q", h, r.Notes)
		}
	}
	var text strings.Builder
	if err := r.WriteMarkdown(&text); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(os.Getenv("PKTSTAT_OUT"), "stack")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "stack.md"), []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// wantTaps returns the taps of a hook. A probe on tcp_sendmsg does not see UDP.
func wantTaps(g *Group) []string {
	want := []string{Empty, Ours}
	if g.Unit == UnitExchanges {
		want = []string{Nothing, Empty, Ours}
	}
	switch {
	case g.Hook == HookTC || g.Hook == HookXDP:
		want = append(want, Processes)
	case g.Hook == HookTracepoint, g.Hook != HookCgroup && (g.Unit == UnitExchanges || strings.HasPrefix(g.Packet, "TCP")):
		want = append(want, AppBytes)
	}
	return want
}
