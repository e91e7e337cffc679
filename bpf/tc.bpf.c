// SPDX-License-Identifier: MIT
// Counts at tc, attached by TCX or by clsact. Every program passes every packet on, unchanged.
#include "skb.h"

#include <linux/pkt_cls.h>

#define NEXT TC_ACT_UNSPEC // the same number as TCX_NEXT

SEC("tc")
int tc_ingress(struct __sk_buff *skb)
{
	skb_count(skb, DIR_INGRESS, 0);
	return NEXT;
}

SEC("tc")
int tc_egress(struct __sk_buff *skb)
{
	skb_count(skb, DIR_EGRESS, 0);
	return NEXT;
}

// For interfaces without a link header.

SEC("tc")
int tc_ingress_raw(struct __sk_buff *skb)
{
	skb_count(skb, DIR_INGRESS, 1);
	return NEXT;
}

SEC("tc")
int tc_egress_raw(struct __sk_buff *skb)
{
	skb_count(skb, DIR_EGRESS, 1);
	return NEXT;
}

char _license[] SEC("license") = "Dual MIT/GPL";
