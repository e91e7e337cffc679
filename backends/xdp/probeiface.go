package xdp

import (
	"context"
	"fmt"

	"github.com/vishvananda/netlink"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/kernel/bpfprobe"
	"github.com/pktstat/pktstat/registry"
)

var _ registry.InterfaceProber = (*config)(nil)

// ProbeInterface implements [registry.InterfaceProber]: it asks the driver, and looks for another
// XDP program.
func (c *config) ProbeInterface(_ context.Context, i flow.Interface) registry.ProbeResult {
	dev, err := netlink.LinkByIndex(int(i.Index))
	if err != nil {
		return bpfprobe.Refused("no other program", "", fmt.Errorf("%s: %w", i.Name, err))
	}
	mode := map[string]error{
		modeGeneric: nil, // works with any driver
		modeNative:  nativeOn(dev),
		modeOffload: haveOffload(i),
	}
	mode[modeAuto] = mode[modeGeneric]

	taken := isFree(dev)
	r := registry.ProbeResult{Checks: []registry.Check{
		bpfprobe.Check("no other program", "", taken),
		bpfprobe.Check(modeNative, "5.9", mode[modeNative], needs...),
		bpfprobe.Check(modeNative+" in several parts", "5.18", fragsOn(dev), needs...),
		bpfprobe.Check(modeOffload, "5.9", mode[modeOffload], needs...),
	}}
	for _, err := range []error{taken, mode[c.mode]} {
		if err == nil || r.Err != nil {
			continue
		}
		r.Err = fmt.Errorf("%s: %w", i.Name, explain(err))
		r.Verdict = bpfprobe.Check("", "", err, needs...).Verdict
	}
	return r
}

// isFree returns an error that names the XDP program of the interface.
func isFree(dev netlink.Link) error {
	if xdp := dev.Attrs().Xdp; xdp == nil || !xdp.Attached {
		return nil
	}
	return fmt.Errorf("%w: XDP is taken by %s: stop that, or use --backend tc", registry.ErrUnsupported, holder(dev.Attrs().Index))
}

// nativeOn returns an error if the driver of an interface does not run programs.
func nativeOn(dev netlink.Link) error {
	if err := onMembers(dev, modeNative); err != nil {
		return err
	}
	has, err := featuresOf(uint32(dev.Attrs().Index))
	if err != nil {
		return err
	}
	switch mtu := dev.Attrs().MTU; {
	case has&featureBasic == 0:
		return fmt.Errorf("%w: the driver does not take programs: use --backend tc or --xdp-mode generic", registry.ErrUnsupported)
	case mtu > linearMTU() && has&featureFrags == 0:
		return fmt.Errorf("%w: an MTU of %d: reduce it to %d, or use --backend tc or --xdp-mode generic", registry.ErrUnsupported, mtu, linearMTU())
	}
	return nil
}

func fragsOn(dev netlink.Link) error {
	has, err := featuresOf(uint32(dev.Attrs().Index))
	if err == nil && has&featureFrags == 0 {
		return fmt.Errorf("%w: the driver has packets in one part only: the MTU may be %d", registry.ErrUnsupported, linearMTU())
	}
	return err
}
