/* SPDX-License-Identifier: MIT */
/* The tracepoints at devices see a packet at each device of a stack. These functions tell the
 * device at which the IP layer sends or receives it from the others. */
#pragma once

#include "kernel.h"

#define HAS(flags, flag) ((flags) & bpf_core_enum_value(enum netdev_priv_flags, flag))

/* Returns whether the IP layer sends the packet at this device. */
static __always_inline int is_sent_here(struct sk_buff *skb)
{
	struct sk_buff___5_10 *old = (void *)skb;
	struct net_device *dev = BPF_CORE_READ(skb, dev);
	__u64 flags = BPF_CORE_READ_BITFIELD_PROBED(dev, priv_flags);
	__be16 type = BPF_CORE_READ(skb, protocol);

	if (HAS(flags, IFF_BRIDGE_PORT) || HAS(flags, IFF_OVS_DATAPATH) ||
	    HAS(flags, IFF_TEAM_PORT) || BPF_CORE_READ(dev, flags) & IFF_SLAVE)
		return 0; /* counted at the bridge or bond, or bridged */
	if (bpf_core_field_exists(skb->vlan_all) ? BPF_CORE_READ(skb, vlan_all) != 0 :
						   BPF_CORE_READ_BITFIELD_PROBED(old, vlan_present))
		return 0; /* counted at the VLAN's device */
	return type == bpf_htons(ETH_P_IP) || type == bpf_htons(ETH_P_IPV6);
}

/* Returns whether this device may hand the packet to the IP layer. */
static __always_inline int is_received_here(struct sk_buff *skb)
{
	struct net_device *dev = BPF_CORE_READ(skb, dev);
	__u64 flags = BPF_CORE_READ_BITFIELD_PROBED(dev, priv_flags);

	/* A packet of a bridge port is counted when the bridge hands it up. */
	return !HAS(flags, IFF_BRIDGE_PORT) && !HAS(flags, IFF_OVS_DATAPATH);
}
