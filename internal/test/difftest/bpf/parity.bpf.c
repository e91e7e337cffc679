// SPDX-License-Identifier: MIT
// Runs the parser of bpf/ on a packet and stores the results for the test.
#include "../../../../bpf/skb.h"
#include "outcome.h"

#include <linux/pkt_cls.h>

/* The test sets these at run time. */
__u32 push_tag; /* put a VLAN tag into the metadata first */
__u16 push_tci;
__u16 push_type; /* in network order */

static __always_inline int both(struct __sk_buff *skb, __u32 raw)
{
	void *data = (void *)(long)skb->data + (raw ? raw_offset : 0);
	struct frame f = skb_frame(skb, DIR_INGRESS, raw);
	struct outcome *o = outcome();
	struct parser *s;
	struct packet p;

	if (!o)
		return TC_ACT_SHOT;
	o->taken = parse_fast(data, (void *)(long)skb->data_end, &f, &p);
	if (o->taken)
		o->fast = p;
	skb_parse(skb, DIR_INGRESS, raw);
	s = parser();
	if (!s)
		return TC_ACT_SHOT;
	o->slow = s->p;
	return TC_ACT_OK;
}

SEC("tc")
int parity_ethernet(struct __sk_buff *skb)
{
	if (push_tag && bpf_skb_vlan_push(skb, push_type, push_tci))
		return TC_ACT_SHOT;
	return both(skb, 0);
}

SEC("tc")
int parity_raw(struct __sk_buff *skb)
{
	return both(skb, 1);
}

char _license[] SEC("license") = "Dual MIT/GPL";
