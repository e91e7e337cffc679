// SPDX-License-Identifier: MIT
/* The floor at tc: the backend's program with floor_count() instead of count(). */
#include "floor.h"
#define count floor_count
#include "../../../bpf/skb.h"
#include <linux/pkt_cls.h>

SEC("tc")
int floor_tc(struct __sk_buff *skb)
{
	skb_count(skb, DIR_INGRESS, 0);
	return TC_ACT_UNSPEC;
}

char _license[] SEC("license") = "Dual MIT/GPL";
