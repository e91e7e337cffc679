package choose

import (
	"context"
	"errors"
	"fmt"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/netif/device"
	"github.com/pktstat/pktstat/registry"
)

// Probed is a backend and what its probes found.
type Probed struct {
	*Backend
	Machine    registry.ProbeResult
	Interfaces []ProbedInterface
}

// ProbedInterface is what a backend's probe found on an interface.
type ProbedInterface struct {
	Name   string
	Result registry.ProbeResult
}

// Interfaces are where backends are to count.
type Interfaces struct {
	NetNS  *registry.NetNS
	On     []flow.Interface
	Follow registry.Follow // means those that no name means
}

// Probe probes backends on the machine, and on the interfaces that they are to count on.
func Probe(ctx context.Context, backends []*Backend, where Interfaces) ([]Probed, error) {
	all := make([]Probed, 0, len(backends))
	for _, b := range backends {
		p := Probed{Backend: b, Machine: b.Config.Probe(ctx)}
		if b.Plugin.Caps.Has(registry.CapInterfaces) {
			err := where.NetNS.Inside(func() error {
				for _, i := range where.On {
					if r, ok := b.probeInterface(ctx, i, where.Follow); ok {
						p.Interfaces = append(p.Interfaces, ProbedInterface{i.Name, r})
					}
				}
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
		all = append(all, p)
	}
	return all, nil
}

// passes is the name of the check whether an interface's packets pass where a backend
// sees packets.
const passes = "its packets pass"

// probeInterface finds out whether a backend can count on an interface: ok is whether
// anything can be found out.
func (b *Backend) probeInterface(ctx context.Context, i flow.Interface, follow registry.Follow) (r registry.ProbeResult, ok bool) {
	if prober, is := b.Config.(registry.InterfaceProber); is {
		r, ok = prober.ProbeInterface(ctx, i), true
	}
	at := b.Plugin.Point
	if at == registry.PointUnknown {
		return r, ok
	}
	note, err := device.LookAt(at, i, follow)
	check := registry.Check{Name: passes, Detail: note}
	switch {
	case errors.Is(err, registry.ErrUnsupported):
		check.Verdict, check.Reason = registry.No, err.Error()
		r.Verdict, r.Err = registry.No, err
	case err != nil:
		check.Verdict, check.Reason = registry.Inconclusive, err.Error()
	}
	r.Checks = append([]registry.Check{check}, r.Checks...)
	return r, true
}

// Verdict is the worst verdict on the machine and on the interfaces.
func (p Probed) Verdict() registry.Verdict { return p.Worst().Verdict }

// Worst is the result with the worst verdict.
func (p Probed) Worst() registry.ProbeResult {
	worst := p.Machine
	for _, i := range p.Interfaces {
		if i.Result.Verdict > worst.Verdict {
			worst = i.Result
		}
	}
	return worst
}

// usable reports whether opening the backend can succeed. It cannot where a permission
// is missing, although the verdict is inconclusive there.
func (p Probed) usable() bool {
	w := p.Worst()
	return w.Verdict != registry.No && !errors.Is(w.Err, registry.ErrPermission)
}

// Why says why the backend does not work, or may not work; nil if it works.
func (p Probed) Why() error {
	w := p.Worst()
	if w.Verdict == registry.Supported {
		return nil
	}
	err, remedy := w.Err, ""
	for _, c := range w.Checks {
		if c.Verdict != w.Verdict {
			continue
		}
		if err == nil && w.Verdict == registry.No {
			err = fmt.Errorf("%s: %w: %s", c.Name, registry.ErrUnsupported, c.Reason)
		}
		if remedy == "" {
			remedy = c.Remedy
		}
	}
	switch {
	case err == nil && w.Verdict == registry.No:
		err = registry.ErrUnsupported
	case err == nil:
		err = errors.New("its probe was inconclusive")
	}
	if remedy != "" && !errors.Is(err, registry.ErrPermission) {
		return fmt.Errorf("%w: %s", err, remedy)
	}
	return err
}

// err is [Probed.Why] with the backend's name.
func (p Probed) err() error { return fmt.Errorf("backend %s: %w", p.Name, p.Why()) }
