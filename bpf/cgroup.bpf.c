// SPDX-License-Identifier: MIT
// Counts at cgroup_skb, where packets leave sockets and reach them. Every program passes every
// packet on, unchanged.
#include "cgroup.h"

#define PASS 1

SEC("cgroup_skb/ingress")
int cgroup_ingress(struct __sk_buff *skb)
{
	cgroup_count(skb, DIR_INGRESS);
	return PASS;
}

SEC("cgroup_skb/egress")
int cgroup_egress(struct __sk_buff *skb)
{
	cgroup_count(skb, DIR_EGRESS);
	return PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
