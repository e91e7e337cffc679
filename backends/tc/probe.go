package tc

import (
	"context"
	"errors"
	"fmt"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/kernel/bpfflow"
	"github.com/pktstat/pktstat/internal/kernel/bpfprobe"
	"github.com/pktstat/pktstat/internal/netif/attach"
	"github.com/pktstat/pktstat/registry"
)

// Probe loads the programs with a small table, and attaches them to an interface in a private
// network namespace.
func (c *config) Probe(context.Context) registry.ProbeResult {
	table, err := load(bpfflow.Options{MaxFlows: 1})
	if err != nil {
		return bpfprobe.Refused("programs", "5.10", err, needs...)
	}
	defer func() { _ = table.Close() }()

	r := registry.ProbeResult{
		Verdict: registry.No,
		Checks:  []registry.Check{{Name: "programs", Since: "5.10"}},
	}
	for _, m := range []struct {
		method, since string
		try           func(*bpfflow.Table) error
	}{
		{methodTCX, "6.6", tryTCX},
		{methodClsact, "4.5", tryClsact},
	} {
		err := m.try(table)
		check := bpfprobe.Check(m.method, m.since, err, needs...)
		r.Checks = append(r.Checks, check)
		if c.method != methodAuto && c.method != m.method {
			continue
		}
		if check.Verdict <= r.Verdict {
			r.Verdict, r.Err = check.Verdict, explain(err)
		}
	}
	return r
}

func tryTCX(table *bpfflow.Table) error {
	if err := haveTCX(); err != nil {
		return err
	}
	err := tryAttach(tcx{}, table)
	if errors.Is(err, bpfprobe.ErrNoNetNS) {
		return nil // that the kernel has it is enough
	}
	return err
}

func tryClsact(table *bpfflow.Table) error {
	a, err := newClsact(first)
	if err != nil {
		return err
	}
	return errors.Join(tryAttach(a, table), a.close())
}

// tryAttach attaches in both directions of an interface, and detaches.
func tryAttach(a attacher, table *bpfflow.Table) error {
	return bpfprobe.InPrivateNetNS(func() error {
		h := &hook{programs: table.Programs, attacher: a}
		attached, err := h.Attach(&attach.Port{Interface: flow.Interface{Index: 1, Name: "lo"}})
		if err != nil {
			return fmt.Errorf("attach: %w", err)
		}
		return attached.Detach()
	})
}

var _ registry.InterfaceProber = (*config)(nil)

// ProbeInterface implements [registry.InterfaceProber]: it looks for a qdisc that keeps clsact
// out.
func (c *config) ProbeInterface(_ context.Context, i flow.Interface) registry.ProbeResult {
	err := onlyClsact(i)
	if err != nil {
		err = fmt.Errorf("%w: %w", registry.ErrUnsupported, err)
	}
	r := registry.ProbeResult{Checks: []registry.Check{bpfprobe.Check("room for clsact", "", err, needs...)}}
	if c.method == methodTCX || c.method == methodAuto && haveTCX() == nil {
		return r // TCX needs no qdisc
	}
	if err != nil {
		r.Verdict, r.Err = r.Checks[0].Verdict, fmt.Errorf("%s: %w", i.Name, err)
	}
	return r
}
