package tc

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/bpfflow"
	"github.com/pktstat/pktstat/registry"
)

// Probe loads the programs with a small table, and attaches them to the loopback
// interface of a network namespace that nobody else sees.
func (c *config) Probe(context.Context) registry.ProbeResult {
	spec, err := loadTc()
	if err != nil {
		return refused("programs", "5.10", err)
	}
	table, err := bpfflow.Load(spec, bpfflow.Options{MaxFlows: 1})
	if err != nil {
		return refused("programs", "5.10", err)
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
		check := registry.Check{Name: m.method, Since: m.since}
		if err := m.try(table); err != nil {
			check.Verdict, check.Reason = verdict(err), err.Error()
			if r.Err == nil {
				r.Err = explain(err)
			}
		}
		r.Checks = append(r.Checks, check)
		if c.method == methodAuto || c.method == m.method {
			r.Verdict = min(r.Verdict, check.Verdict)
		}
	}
	switch {
	case r.Verdict != registry.No:
		r.Err = nil
	case !errors.Is(r.Err, registry.ErrPermission) && !errors.Is(r.Err, registry.ErrUnsupported):
		r.Err = fmt.Errorf("%w: %w", registry.ErrUnsupported, r.Err)
	}
	return r
}

// refused is the result when one check fails without which there is nothing to try.
func refused(name, since string, err error) registry.ProbeResult {
	err = explain(err)
	r := registry.ProbeResult{Verdict: verdict(err), Err: err}
	r.Checks = []registry.Check{{Name: name, Since: since, Verdict: r.Verdict, Reason: err.Error()}}
	return r
}

// verdict of an error: only what a kernel says clearly is conclusive.
func verdict(err error) registry.Verdict {
	err = explain(err)
	if errors.Is(err, registry.ErrUnsupported) || errors.Is(err, registry.ErrPermission) {
		return registry.No
	}
	return registry.Inconclusive
}

func tryTCX(table *bpfflow.Table) error {
	if err := haveTCX(); err != nil {
		return err
	}
	err := inPrivateNetNS(func() error { return tryAttach(tcx{}, table) })
	if errors.Is(err, errNoNetNS) {
		return nil // the kernel has it, and that is all there is to know
	}
	return err
}

func tryClsact(table *bpfflow.Table) error {
	return inPrivateNetNS(func() error {
		a, err := newClsact()
		if err != nil {
			return err
		}
		return errors.Join(tryAttach(a, table), a.close())
	})
}

// tryAttach attaches to lo of the current network namespace, and detaches.
func tryAttach(a attacher, table *bpfflow.Table) error {
	lo := &port{Interface: flow.Interface{Index: 1, Name: "lo"}, dirs: []flow.Direction{flow.Ingress, flow.Egress}}
	s := &source{table: table, attacher: a}
	if err := s.attach(lo); err != nil {
		return err
	}
	return lo.release()
}

// errNoNetNS: there is no right to create a network namespace (CAP_SYS_ADMIN).
var errNoNetNS = errors.New("not tried: creating a network namespace is not permitted")

// inPrivateNetNS runs f in a network namespace that ends with it.
func inPrivateNetNS(f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread and its namespace end with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			result <- fmt.Errorf("%w: %v", errNoNetNS, err)
			return
		}
		result <- f()
	}()
	return <-result
}
