// SPDX-License-Identifier: MIT
// Counts where packets enter and leave the IP layer, in every network namespace: at four
// functions of the kernel, by fentry or by kprobes, or else at two tracepoints.
#include "kernelskb.h"

/* A packet leaves when its fragments are made and its neighbour is looked up, and arrives
 * before those are put together: fragments count each. */

#define LEAVES(function)                                                               \
	SEC("fentry/" #function)                                                       \
	int fentry_##function(__u64 *ctx)                                              \
	{                                                                              \
		return kernel_count((struct sk_buff *)ctx[2], DIR_EGRESS);             \
	}                                                                              \
	SEC("kprobe/" #function)                                                       \
	int kprobe_##function(void *ctx)                                               \
	{                                                                              \
		return kernel_count((struct sk_buff *)pt_regs_parm3(ctx), DIR_EGRESS); \
	}
#define ARRIVES(function)                                                               \
	SEC("fentry/" #function)                                                        \
	int fentry_##function(__u64 *ctx)                                               \
	{                                                                               \
		return kernel_count((struct sk_buff *)ctx[0], DIR_INGRESS);             \
	}                                                                               \
	SEC("kprobe/" #function)                                                        \
	int kprobe_##function(void *ctx)                                                \
	{                                                                               \
		return kernel_count((struct sk_buff *)pt_regs_parm1(ctx), DIR_INGRESS); \
	}

LEAVES(ip_finish_output2)
LEAVES(ip6_finish_output2)
ARRIVES(ip_rcv_core)
ARRIVES(ip6_rcv_core)

/* The tracepoints are at devices, and see a packet again at each device below. */

#define HAS(flags, flag) ((flags) & bpf_core_enum_value(enum netdev_priv_flags, flag))

SEC("raw_tp/net_dev_queue")
int tracepoint_net_dev_queue(struct bpf_raw_tracepoint_args *ctx)
{
	struct sk_buff *skb = (void *)ctx->args[0];
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
	if (type != bpf_htons(ETH_P_IP) && type != bpf_htons(ETH_P_IPV6))
		return 0;
	return kernel_count(skb, DIR_EGRESS);
}

SEC("raw_tp/netif_receive_skb")
int tracepoint_netif_receive_skb(struct bpf_raw_tracepoint_args *ctx)
{
	struct sk_buff *skb = (void *)ctx->args[0];
	struct net_device *dev = BPF_CORE_READ(skb, dev);
	__u64 flags = BPF_CORE_READ_BITFIELD_PROBED(dev, priv_flags);

	if (HAS(flags, IFF_BRIDGE_PORT) || HAS(flags, IFF_OVS_DATAPATH))
		return 0; /* counted when the bridge hands it up */
	return kernel_count(skb, DIR_INGRESS);
}

char _license[] SEC("license") = "Dual MIT/GPL";
