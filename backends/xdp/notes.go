package xdp

import (
	"fmt"
	"slices"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/registry"
)

const (
	noteIngress = "egress is not seen: XDP sees incoming packets only"
	noteTwice   = "packets that IPsec decrypts by policy pass generic XDP twice, and count twice: tc counts them once"
	noteMerged  = "a frame that GRO has merged, or that GSO has yet to segment, counts as one packet, with the headers of one"
)

// notes are the remarks on an interface in the report.
func notes(dev netlink.Link, superFrames bool) []string {
	var notes []string
	if superFrames {
		notes = append(notes, noteMerged)
	}
	if name := dev.Attrs().Name; stripsTags(name) {
		remedy := fmt.Sprintf("ethtool -K %s rxvlan off leaves them in", name)
		if dev.Type() == "veth" { // a veth pair has no NIC: a tag stays where the sender put it
			remedy = "ethtool -K PEER txvlan off puts them in"
		}
		notes = append(notes, fmt.Sprintf("%s: XDP does not see VLAN tags outside of the frame (%s)", name, remedy))
	}
	return notes
}

// hasTunnels reports whether the kernel decrypts packets in tunnel mode and hands them to the
// interface on which they arrived. A kernel without IPsec has no policies.
func hasTunnels() bool {
	policies, err := netlink.XfrmPolicyList(netlink.FAMILY_ALL)
	return err == nil && slices.ContainsFunc(policies, func(p netlink.XfrmPolicy) bool {
		// With an id, packets arrive on an xfrm interface.
		return p.Dir != netlink.XFRM_DIR_OUT && p.Ifid == 0 &&
			slices.ContainsFunc(p.Tmpls, func(t netlink.XfrmPolicyTmpl) bool { return t.Mode == netlink.XFRM_MODE_TUNNEL })
	})
}

// seesSuperFrames reports whether one packet may be several on the wire. The packets that a
// program writes to a tap device stay super-frames in native mode, too (tun_build_skb in
// drivers/net/tun.c).
func seesSuperFrames(dev netlink.Link, mode string) bool {
	return mode == modeGeneric || dev.Type() == "tuntap"
}

// onMembers refuses to attach in the driver of a bond: its programs run on the members, and would
// count there.
func onMembers(dev netlink.Link, mode string) error {
	if mode == modeNative && dev.Type() == "bond" {
		return fmt.Errorf("%w: native XDP on a bond: name its members with --iface, or use --xdp-mode generic", registry.ErrUnsupported)
	}
	return nil
}

// stripsTags reports whether the NIC takes VLAN tags out of the frame (rx-vlan-hw-parse of
// ethtool). XDP cannot read such tags.
func stripsTags(name string) bool {
	const (
		getFlags = 0x25   // ETHTOOL_GFLAGS of include/uapi/linux/ethtool.h
		rxVLAN   = 1 << 8 // ETH_FLAG_RXVLAN
	)
	value := struct{ cmd, data uint32 }{cmd: getFlags}
	request := struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte // of struct ifreq
	}{data: unsafe.Pointer(&value)}
	copy(request.name[:len(request.name)-1], name)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer func() { _ = unix.Close(fd) }()
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
	return errno == 0 && value.data&rxVLAN != 0
}
