package xdp

import (
	"context"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/kernel/bpfflow"
	"github.com/pktstat/pktstat/internal/kernel/bpfprobe"
	"github.com/pktstat/pktstat/internal/netif/attach"
	"github.com/pktstat/pktstat/registry"
)

// Probe loads the programs with a small table, and attaches one to interfaces in a private
// network namespace.
func (c *config) Probe(context.Context) registry.ProbeResult {
	table, err := load(modeAuto, nil, bpfflow.Options{MaxFlows: 1})
	if err != nil {
		return bpfprobe.Refused("programs", "5.9", err, needs...)
	}
	defer func() { _ = table.Close() }()

	r := registry.ProbeResult{Verdict: registry.No, Checks: []registry.Check{
		{Name: "programs", Since: "5.9"},
		bpfprobe.Check("packets in several parts", "5.18", haveFrags(), needs...),
	}}
	for _, m := range []struct {
		mode string
		try  func() error
	}{
		{modeNative, func() error { return tryNative(table) }},
		{modeGeneric, func() error { return tryGeneric(table) }},
		{modeOffload, tryOffload},
	} {
		if c.mode != m.mode && (c.mode != modeAuto || m.mode == modeOffload) {
			continue
		}
		err := m.try()
		check := bpfprobe.Check(m.mode, "5.9", err, needs...)
		r.Checks = append(r.Checks, check)
		r.Verdict = min(r.Verdict, check.Verdict)
		if r.Err == nil {
			r.Err = explain(err)
		}
	}
	if r.Verdict == registry.Supported {
		r.Err = nil
	}
	return r
}

// tryNative attaches in the driver of a veth pair.
func tryNative(table *bpfflow.Table) error {
	return bpfprobe.InPrivateNetNS(func() error {
		veth := netlink.NewVeth(netlink.LinkAttrs{Name: "xdp"})
		veth.PeerName = "xdp-peer"
		if err := netlink.LinkAdd(veth); err != nil {
			return fmt.Errorf("not tried: it depends on the driver, and this kernel has no veth to try it on: %w", err)
		}
		return tryAttach(table, modeNative, veth.Name)
	})
}

func tryGeneric(table *bpfflow.Table) error {
	return bpfprobe.InPrivateNetNS(func() error { return tryAttach(table, modeGeneric, "lo") })
}

// tryAttach attaches to an interface of the current network namespace, and detaches.
func tryAttach(table *bpfflow.Table, mode, name string) error {
	dev, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	h := &hook{programs: table.Programs, mode: mode}
	a, err := h.Attach(&attach.Port{Interface: flow.Interface{Index: uint32(dev.Attrs().Index), Name: name}})
	if err != nil {
		return err
	}
	return a.Detach()
}

// tryOffload looks for a NIC that runs programs. A program in a NIC changes nothing until it is
// attached.
func tryOffload() error {
	devs, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("list interfaces: %w", err)
	}
	for _, dev := range devs {
		err := haveOffload(flow.Interface{Index: uint32(dev.Attrs().Index), Name: dev.Attrs().Name})
		if !errors.Is(err, registry.ErrUnsupported) {
			return err // or nil
		}
	}
	return fmt.Errorf("%w: no interface here has a NIC that runs XDP programs", registry.ErrUnsupported)
}
