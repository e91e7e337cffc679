package hostprobe

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/cilium/ebpf/rlimit"

	"github.com/pktstat/pktstat/internal/kernel/bpfprobe"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/registry"
)

// TestHooks: on a kernel with a hook, its check succeeds. The backends test that real programs
// attach there too.
func TestHooks(t *testing.T) {
	testenv.Privileged(t)
	if err := rlimit.RemoveMemlock(); err != nil {
		t.Log(err)
	}
	for _, h := range []struct {
		name, since string
		try         func() error
	}{
		{"raw_tp", "5.2", RawTracepoint},
		{"tp_btf", "5.5", BTFTracepoint},
		{"fentry", bpfprobe.FEntrySince(), FEntry},
		{"kprobe", "5.5", Kprobe},
		{"iter/task_file", "5.8", TaskFileIterator},
		{"cgroup_skb", "5.7", CgroupSKB},
	} {
		t.Run(h.name, func(t *testing.T) {
			testenv.Feature(t, h.name, h.since, h.try)
			if err := h.try(); err != nil {
				t.Errorf("the second check failed: %v", err)
			}
		})
	}
}

// TestProbe: every check has a verdict and matching fields, and no descriptor stays open.
func TestProbe(t *testing.T) {
	if _, err := Probe(t.Context()); err != nil { // fills caches
		t.Fatal(err)
	}
	before := descriptors(t)
	h, err := Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors are open, were %d", after, before)
	}
	names := map[string]bool{}
	for _, g := range h.Groups {
		for _, c := range g.Checks {
			if name := g.Name + "/" + c.Name; c.Name == "" || names[name] {
				t.Errorf("%s has no unique name", name)
			} else {
				names[name] = true
			}
			if (c.Verdict == registry.Supported) != (c.Reason == "") || strings.Contains(c.Reason, "\n") {
				t.Errorf("%s: %+v", g.Name, c)
			}
			if c.Verdict == registry.Supported && (c.Remedy != "" || c.Caps != nil) {
				t.Errorf("%s: %+v", g.Name, c)
			}
		}
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func TestProbeEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if h, err := Probe(ctx); !errors.Is(err, context.Canceled) || len(h.Groups) != 0 {
		t.Errorf("%d groups, %v", len(h.Groups), err)
	}
}

func TestLockdownMode(t *testing.T) {
	for _, c := range []struct {
		text, want string
		verdict    registry.Verdict
	}{
		{"[none] integrity confidentiality\n", "none", registry.Supported},
		{"none [integrity] confidentiality\n", "integrity", registry.Inconclusive},
		{"none integrity [confidentiality]\n", "confidentiality", registry.No},
	} {
		mode, err := bracketed(c.text)
		if err != nil || mode != c.want || judgeLockdown(mode).Verdict != c.verdict {
			t.Errorf("%q: %q, %v, %+v", c.text, mode, err, judgeLockdown(mode))
		}
	}
	if _, err := bracketed("none\n"); err == nil {
		t.Error("a text without brackets was read")
	}
}

func TestSysctl(t *testing.T) {
	for _, c := range []struct {
		path    string
		values  map[string]verdict
		others  string
		verdict registry.Verdict
	}{
		{"kernel/ostype", map[string]verdict{"Linux": {}}, "", registry.Supported},
		{"kernel/ostype", map[string]verdict{"Linux": {no: "wrong system"}}, "", registry.No},
		{"kernel/ostype", nil, "any", registry.No},
		{"kernel/none_such", nil, "", registry.Inconclusive},
	} {
		got := sysctl("x", c.path, c.others, c.values)
		if got.Verdict != c.verdict || (got.Reason == "") != (c.verdict == registry.Supported) {
			t.Errorf("%+v: %+v", c, got)
		}
	}
}
