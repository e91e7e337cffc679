/* SPDX-License-Identifier: MIT */
/* Packets that come as struct __sk_buff. */
#pragma once

#include "compat.h"

/* Bytes before the packet that the raw programs skip. For tests only: whatever
 * BPF_PROG_TEST_RUN is given has an Ethernet header. */
const volatile __u32 raw_offset = 0;

static __always_inline long load(void *ctx, __u32 offset, void *to, __u32 len)
{
	return bpf_skb_load_bytes(ctx, raw_offset + offset, to, len);
}

#include "scratch.h"
#include "table.h"

static __always_inline struct frame skb_frame(struct __sk_buff *skb, __u32 direction, __u32 raw)
{
	struct frame f = {
		.len = skb->len,
		.ifindex = skb->ifindex,
		.tagged = skb->vlan_present,
		.direction = direction,
		.raw = raw,
		.segment_size = skb->gso_size,
	};

	if (f.tagged)
		f.tci = skb->vlan_tci;
	if (raw) {
		f.len -= raw_offset;
		/* Numbers below are no types; ETH_P_ALL is what packet sockets leave there. */
		if (bpf_ntohs(skb->protocol) >= ETH_P_802_3_MIN)
			f.type = skb->protocol;
	}
	if (f.segment_size) {
		f.segments = skb->gso_segs;
		/* Only on the way out has qdisc_pkt_len_init() made it more than len. */
		if (direction == DIR_EGRESS && skb->wire_len > skb->len)
			f.extra = skb->wire_len - skb->len;
	}
	return f;
}

/* Parses into parser(). Global, so that the verifier looks at it once. */
__noinline int skb_parse(struct __sk_buff *skb, __u32 direction, __u32 raw)
{
	struct parser *s = parser();

	if (!s)
		return 0;
	s->f = skb_frame(skb, direction, raw);
	step_done();
	parse(skb, s);
	return 0;
}

static __always_inline void skb_count(struct __sk_buff *skb, __u32 direction, __u32 raw)
{
	struct frame f = skb_frame(skb, direction, raw);
	void *data = (void *)(long)skb->data + (raw ? raw_offset : 0);
	struct packet p;

	if (unlikely(!parse_fast(data, (void *)(long)skb->data_end, &f, &p))) {
		struct parser *s;

		skb_parse(skb, direction, raw);
		s = parser();
		if (!s)
			return; /* not possible: an array of one */
		p = s->p;
	}
	count(&p);
}
