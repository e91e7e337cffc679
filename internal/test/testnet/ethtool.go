package testnet

import (
	"errors"
	"fmt"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// offloads are the features of veth that make super-frames or leave out checksums, with their names
// in `ethtool -k`. Without checksum offload, the kernel also disables TCP segmentation offload.
var offloads = []string{
	"tx-checksum-ip-generic", "tx-generic-segmentation", "tx-udp-segmentation", "tx-gso-list",
	"tx-tcp-segmentation", "tx-tcp-ecn-segmentation", "tx-tcp-mangleid-segmentation", "tx-tcp6-segmentation",
	"rx-gro", "rx-gro-list", lateOffload,
}

// lateOffload exists from Linux 5.12 on, and in later updates of 5.10.
const lateOffload = "rx-udp-gro-forwarding"

// Constants of include/uapi/linux/ethtool_netlink.h.
const (
	ethtoolMsgFeaturesSet  = 12
	ethtoolAFeaturesHeader = 1
	ethtoolAFeaturesWanted = 3
	ethtoolAHeaderDevIndex = 1
	ethtoolABitsetBits     = 3
	ethtoolABitsetBitsBit  = 1
	ethtoolABitsetBitName  = 2
	ethtoolABitsetBitValue = 3
	ethtoolFamily          = "ethtool"
	ethtoolGenlVersion     = 1
	nlaNested              = unix.NLA_F_NESTED
)

// SetOffloads switches segmentation, checksum and receive offloads.
func (i *Iface) SetOffloads(on bool) error {
	return i.Do(func() error {
		err := i.setFeatures(offloads, on)
		if errors.Is(err, unix.EOPNOTSUPP) {
			err = i.setFeatures(slices.DeleteFunc(slices.Clone(offloads), func(name string) bool { return name == lateOffload }), on)
		}
		if err != nil {
			return fmt.Errorf("offloads of %s: %w", i, err)
		}
		return nil
	})
}

func (i *Iface) setFeatures(names []string, on bool) error {
	family, err := netlink.GenlFamilyGet(ethtoolFamily)
	if err != nil {
		return fmt.Errorf("ethtool netlink: %w", err)
	}
	bits := nl.NewRtAttr(ethtoolABitsetBits|nlaNested, nil)
	for _, name := range names {
		bit := bits.AddRtAttr(ethtoolABitsetBitsBit|nlaNested, nil)
		bit.AddRtAttr(ethtoolABitsetBitName, nl.ZeroTerminated(name))
		if on {
			bit.AddRtAttr(ethtoolABitsetBitValue, nil)
		}
	}
	header := nl.NewRtAttr(ethtoolAFeaturesHeader|nlaNested, nil)
	header.AddRtAttr(ethtoolAHeaderDevIndex, nl.Uint32Attr(uint32(i.Index)))
	wanted := nl.NewRtAttr(ethtoolAFeaturesWanted|nlaNested, nil)
	wanted.AddChild(bits)

	req := nl.NewNetlinkRequest(int(family.ID), unix.NLM_F_ACK)
	req.AddData(&nl.Genlmsg{Command: ethtoolMsgFeaturesSet, Version: ethtoolGenlVersion})
	req.AddData(header)
	req.AddData(wanted)
	_, err = req.Execute(unix.NETLINK_GENERIC, 0)
	return err
}
