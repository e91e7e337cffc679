// SPDX-License-Identifier: MIT
// Counts where packets enter and leave the IP layer, in every network namespace. The programs
// attach to four kernel functions, by fentry or by kprobes, or else to two tracepoints.
#include "kernelskb.h"
#include "netdev.h"

/* Each fragment counts: on egress, these functions run after fragmentation. On ingress, they run
 * before reassembly. */

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

SEC("raw_tp/net_dev_queue")
int tracepoint_net_dev_queue(struct bpf_raw_tracepoint_args *ctx)
{
	struct sk_buff *skb = (void *)ctx->args[0];

	return is_sent_here(skb) ? kernel_count(skb, DIR_EGRESS) : 0;
}

SEC("raw_tp/netif_receive_skb")
int tracepoint_netif_receive_skb(struct bpf_raw_tracepoint_args *ctx)
{
	struct sk_buff *skb = (void *)ctx->args[0];

	return is_received_here(skb) ? kernel_count(skb, DIR_INGRESS) : 0;
}

char _license[] SEC("license") = "Dual MIT/GPL";
