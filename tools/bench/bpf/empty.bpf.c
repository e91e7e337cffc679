// SPDX-License-Identifier: MIT
/* Programs that do nothing, as a base line, and the end of the packet path. */
#include "../../../bpf/kernel.h"
#include <linux/pkt_cls.h>

#define MAX_CPUS 256

/* Packets that reached the end of the path. Each CPU has a cache line of its own. */
struct arrivals {
	__u64 packets;
	__u64 pad[7];
};
struct arrivals arrivals[MAX_CPUS] __attribute__((aligned(64)));

SEC("xdp")
int empty_xdp(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("tc")
int empty_tc(struct __sk_buff *skb)
{
	return TC_ACT_UNSPEC;
}

/* Runs after the program under test. */
SEC("tc")
int drop_tc(struct __sk_buff *skb)
{
	arrivals[bpf_get_smp_processor_id() % MAX_CPUS].packets++;
	return TC_ACT_SHOT;
}

char _license[] SEC("license") = "Dual MIT/GPL";
