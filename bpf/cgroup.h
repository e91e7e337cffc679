/* SPDX-License-Identifier: MIT */
/* Packets as struct __sk_buff, at cgroup_skb: from layer 3 on, with their sockets. */
#pragma once

#include "kernel.h"

static __always_inline long load(void *ctx, __u32 offset, void *to, __u32 len)
{
	return bpf_skb_load_bytes(ctx, offset, to, len);
}

#include "slot_socket.h"

static __always_inline struct frame cgroup_frame(struct __sk_buff *skb, __u32 direction)
{
	struct frame f = {
		.len = skb->len,
		.direction = direction,
		.raw = 1,
		.segment_size = skb->gso_size,
	};

	/* With any other type, the parser reads the packet's first four bits. */
	if (skb->protocol == bpf_htons(ETH_P_IP) || skb->protocol == bpf_htons(ETH_P_IPV6))
		f.type = skb->protocol;
	if (f.segment_size)
		f.segments = skb->gso_segs;
	return f;
}

/* Parses into parser(level). It is global, so that the verifier checks it only once. */
__noinline int cgroup_parse(struct __sk_buff *skb, __u32 direction, __u32 level)
{
	struct parser *s = parser(level);

	if (!s)
		return 0;
	s->f = cgroup_frame(skb, direction);
	step_done();
	parse(skb, s);
	return 0;
}

/* Returns the inode number of the socket's network namespace. */
static __always_inline __u32 cgroup_netns(struct __sk_buff *skb)
{
	/* To the kernel, the context is a struct sk_buff. */
	struct sk_buff *kernel = (void *)skb;

	return BPF_CORE_READ(kernel, sk, __sk_common.skc_net.net, ns.inum);
}

static __always_inline void cgroup_count(struct __sk_buff *skb, __u32 direction)
{
	struct frame f = cgroup_frame(skb, direction);
	struct nesting *n = nesting();
	struct packet p;
	__u32 level;

	if (!n)
		return; /* not possible: each CPU has an entry */
	level = get_nest_level(n);
	if (unlikely(!parse_fast((void *)(long)skb->data, (void *)(long)skb->data_end, &f, &p))) {
		struct parser *s;

		cgroup_parse(skb, direction, level);
		s = parser(level);
		if (!s) {
			count_lost(f.segments ?: 1, f.len);
			goto out;
		}
		p = s->p;
	}
	p.key.netns = cgroup_netns(skb);
	count_socket(&p, bpf_skb_cgroup_id(skb), bpf_get_socket_cookie(skb), level);
out:
	put_nest_level(n, level);
}
