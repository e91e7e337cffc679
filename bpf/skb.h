/* SPDX-License-Identifier: MIT */
/* Packets that come as struct __sk_buff. */
#pragma once

#include "kernel.h"

/* Bytes before the packet that the raw programs skip. For tests only: whatever
 * BPF_PROG_TEST_RUN is given has an Ethernet header. */
const volatile __u32 raw_offset = 0;

static __always_inline long load(void *ctx, __u32 offset, void *to, __u32 len)
{
	return bpf_skb_load_bytes(ctx, raw_offset + offset, to, len);
}

#include "scratch.h"
#include "flows.h"

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

/* Whether a packet that has come in starts at layer 3 although its interface has link
 * headers: where generic XDP had to copy a packet (skb_pp_cow_data(), seen on 6.18), the
 * copy does not know how long the header is, and tc cannot go back to its start. The
 * kernel has read the type from the header, so there it is the same. */
static __always_inline int is_headless(struct __sk_buff *skb, __u32 direction, __u32 raw)
{
	__be16 type, protocol = skb->protocol;

	if (raw || direction != DIR_INGRESS || bpf_ntohs(protocol) < ETH_P_802_3_MIN)
		return 0;
	return !load(skb, 2 * ETH_ALEN, &type, sizeof(type)) && type != protocol;
}

/* Adds the link headers that such a packet has had, and the padding of a short one. */
static __always_inline void add_header(struct parser *s)
{
	__u32 n = s->p.packets;

	if (!s->l4) {
		s->p.bytes += n * ETH_HLEN;
		return;
	}
	s->p.overhead += n * ETH_HLEN;
	if (n == 1)
		s->p.overhead += s->f.len - s->bytes;
}

/* Parses into parser(). Global, so that the verifier looks at it once. */
__noinline int skb_parse(struct __sk_buff *skb, __u32 direction, __u32 raw)
{
	struct parser *s = parser();

	if (!s)
		return 0;
	s->f = skb_frame(skb, direction, raw);
	if (is_headless(skb, direction, raw)) {
		s->f.raw = 1;
		s->f.type = skb->protocol;
	}
	step_done();
	parse(skb, s);
	step_done();
	if (s->f.raw != !!raw)
		add_header(s);
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
