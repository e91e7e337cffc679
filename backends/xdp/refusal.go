package xdp

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/registry"
)

// isTaken reports whether another program is in the way: in the same mode, or in the
// other one (dev_xdp_attach in net/core/dev.c).
func isTaken(err error) bool { return errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EEXIST) }

// whyNot adds an explanation and a remedy to the kernel's error. If the interface is the cause,
// the error wraps [registry.ErrUnsupported].
func whyNot(err error, dev netlink.Link, mode string) error {
	mtu := dev.Attrs().MTU
	switch {
	case isTaken(err):
		return fmt.Errorf("XDP is taken by %s: stop that, or use --backend tc: %w", holder(dev.Attrs().Index), err)
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES), errors.Is(err, unix.ENODEV):
		return err
	case mode == modeNative && mtu > linearMTU():
		return fmt.Errorf("%w: native XDP with an MTU of %d: %w: reduce the MTU to %d, or use --backend tc or --xdp-mode generic",
			registry.ErrUnsupported, mtu, err, linearMTU())
	case mode == modeNative:
		return fmt.Errorf("%w: native XDP: %w: the driver does not take it: use --backend tc or --xdp-mode generic",
			registry.ErrUnsupported, err)
	}
	return fmt.Errorf("%w: %s XDP: %w: use --backend tc", registry.ErrUnsupported, mode, err)
}

// linearMTU is the largest MTU at which most drivers keep a packet in one part. It is a page less
// headroom, Ethernet header, two tags and struct skb_shared_info.
func linearMTU() int { return os.Getpagesize() - 256 - 14 - 2*4 - 320 }

// holder names the XDP program of an interface.
func holder(index int) string {
	dev, err := netlink.LinkByIndex(index)
	if err != nil {
		return "another program"
	}
	// With programs in the driver and in the NIC at the same time, the kernel reports no id.
	xdp := dev.Attrs().Xdp
	if xdp == nil || xdp.ProgId == 0 {
		return "another program"
	}
	// Asking for the name takes CAP_SYS_ADMIN.
	prog, err := ebpf.NewProgramFromID(ebpf.ProgramID(xdp.ProgId))
	if err != nil {
		return fmt.Sprintf("the program with the id %d", xdp.ProgId)
	}
	defer func() { _ = prog.Close() }()
	info, err := prog.Info()
	if err != nil || info.Name == "" {
		return fmt.Sprintf("the program with the id %d", xdp.ProgId)
	}
	return fmt.Sprintf("the program %s (id %d)", info.Name, xdp.ProgId)
}
