package choose

import (
	"context"
	"errors"
	"fmt"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/netif/device"
	"github.com/pktstat/pktstat/registry"
)

// Probed is a backend with its probe results.
type Probed struct {
	*Backend
	Machine    registry.ProbeResult
	Interfaces []ProbedInterface
}

// ProbedInterface is the result of probing an interface.
type ProbedInterface struct {
	Name   string
	Result registry.ProbeResult
}

// Interfaces are the interfaces that backends are to count on.
type Interfaces struct {
	NetNS  *registry.NetNS
	On     []flow.Interface
	Follow registry.Follow // selects interfaces beyond On
}

// Probe probes backends, on the machine and on the interfaces.
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

// passes is the name of a check: do the interface's packets pass the point where the backend sees
// packets?
const passes = "its packets pass"

// probeInterface probes an interface. ok is false if the backend has no check for interfaces.
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

// Verdict returns the worst verdict of all results.
func (p Probed) Verdict() registry.Verdict { return p.Worst().Verdict }

// Worst returns the result with the worst verdict.
func (p Probed) Worst() registry.ProbeResult {
	worst := p.Machine
	for _, i := range p.Interfaces {
		if i.Result.Verdict > worst.Verdict {
			worst = i.Result
		}
	}
	return worst
}

// usable reports whether opening the backend may succeed. A missing permission makes it false,
// although the verdict is only inconclusive.
func (p Probed) usable() bool {
	w := p.Worst()
	return w.Verdict != registry.No && !errors.Is(w.Err, registry.ErrPermission)
}

// Why returns why the backend does not work, or may not work; nil if it works.
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
