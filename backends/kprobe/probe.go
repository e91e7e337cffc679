package kprobe

import (
	"context"

	"github.com/pktstat/pktstat/internal/kernel/bpfflow"
	"github.com/pktstat/pktstat/internal/kernel/bpfprobe"
	"github.com/pktstat/pktstat/registry"
)

// Probe attaches the programs with a small table, and detaches them. Running them for a moment
// changes nothing.
func (c *config) Probe(context.Context) registry.ProbeResult {
	if err := bpfprobe.NeedBTF(); err != nil {
		return bpfprobe.Refused("BTF", "5.2", err, needs...)
	}
	r := registry.ProbeResult{
		Verdict: registry.No,
		Checks:  []registry.Check{{Name: "BTF", Since: "5.2"}},
	}
	for i := range hooks {
		h := &hooks[i]
		s, err := h.open(bpfflow.Options{MaxFlows: 1})
		if err == nil {
			err = s.Close()
		}
		check := bpfprobe.Check(h.name, h.since, err, needs...)
		r.Checks = append(r.Checks, check)
		if c.hook != hookAuto && c.hook != h.name {
			continue
		}
		if check.Verdict <= r.Verdict && (r.Verdict != registry.Supported || r.Err != nil) {
			r.Verdict, r.Err = check.Verdict, explain(err)
		}
	}
	return r
}
