package bench

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/internal/test/testenv"
)

// TestStack measures what a call takes of a socket's traffic on the kernels of the matrix,
// which have fentry and kprobes: once, or for figures if PKTSTAT_BENCH is set (make
// bench-stack). They go to the host. Natively, TestRun does.
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
			t.Errorf("no socket was measured at %s: %q", h, r.Notes)
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

// wantTaps are what is measured of a hook in the experiment stack. A probe on tcp_sendmsg
// is not called for UDP.
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
