package xdp

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// features are the XDP features that a driver reports (since 6.3): enum netdev_xdp_act of
// include/uapi/linux/netdev.h.
type features uint64

const (
	featureBasic   features = 1 << 0 // NETDEV_XDP_ACT_BASIC: it runs programs
	featureOffload features = 1 << 4 // NETDEV_XDP_ACT_HW_OFFLOAD
	featureFrags   features = 1 << 5 // NETDEV_XDP_ACT_RX_SG: packets in several parts
)

// errNotTold is the error of older kernels.
var errNotTold = errors.New("this kernel does not report what drivers can do (since 6.3), so only attaching would show it")

// featuresOf returns the features of an interface. It changes nothing.
func featuresOf(index uint32) (features, error) {
	const (
		commandGet   = 1 // NETDEV_CMD_DEV_GET
		attrIndex    = 1 // NETDEV_A_DEV_IFINDEX
		attrFeatures = 3 // NETDEV_A_DEV_XDP_FEATURES
	)
	family, err := netlink.GenlFamilyGet("netdev")
	if errors.Is(err, unix.ENOENT) {
		return 0, errNotTold
	}
	if err != nil {
		return 0, fmt.Errorf("find the netlink family netdev: %w", err)
	}
	req := nl.NewNetlinkRequest(int(family.ID), 0)
	// struct genlmsghdr. nl.Genlmsg leaves random bytes in its reserved field, and the kernel
	// then refuses it.
	header := []byte{commandGet, 1, 0, 0}
	req.AddRawData(append(header, nl.NewRtAttr(attrIndex, nl.Uint32Attr(index)).Serialize()...))
	answers, err := req.Execute(unix.NETLINK_GENERIC, 0)
	if err != nil {
		return 0, fmt.Errorf("ask for the XDP features: %w", err)
	}
	for _, answer := range answers {
		attrs, err := nl.ParseRouteAttr(answer[nl.SizeofGenlmsg:])
		if err != nil {
			return 0, fmt.Errorf("read the XDP features: %w", err)
		}
		for _, a := range attrs {
			if a.Attr.Type == attrFeatures && len(a.Value) == 8 {
				return features(nl.NativeEndian().Uint64(a.Value)), nil
			}
		}
	}
	return 0, errNotTold
}
