// SPDX-License-Identifier: MIT
// Counts at cgroup_skb, where packets leave and reach sockets, from layer 3 on. The
// traffic is never changed: every program lets the packet pass.
#include "kernel.h"

static __always_inline long load(void *ctx, __u32 offset, void *to, __u32 len)
{
	return bpf_skb_load_bytes(ctx, offset, to, len);
}

#include "parse.h"
#include "slot_socket.h"

#define PASS 1

static __always_inline struct frame frame_of(struct __sk_buff *skb, __u32 direction)
{
	struct frame f = {
		.len = skb->len,
		.direction = direction,
		.raw = 1,
		.segment_size = skb->gso_size,
	};

	/* Anything else is for the packet's first four bits to tell. */
	if (skb->protocol == bpf_htons(ETH_P_IP) || skb->protocol == bpf_htons(ETH_P_IPV6))
		f.type = skb->protocol;
	if (f.segment_size)
		f.segments = skb->gso_segs;
	return f;
}

/* Parses into parser(level). Global, so that the verifier looks at it once. */
__noinline int cgroup_parse(struct __sk_buff *skb, __u32 direction, __u32 level)
{
	struct parser *s = parser(level);

	if (!s)
		return 0;
	s->f = frame_of(skb, direction);
	step_done();
	parse(skb, s);
	return 0;
}

/* The inode number of the socket's network namespace. */
static __always_inline __u32 netns(struct __sk_buff *skb)
{
	/* To the kernel, the context is its own structure. */
	struct sk_buff *kernel = (void *)skb;

	return BPF_CORE_READ(kernel, sk, __sk_common.skc_net.net, ns.inum);
}

static __always_inline int count_cgroup(struct __sk_buff *skb, __u32 direction)
{
	struct frame f = frame_of(skb, direction);
	struct nesting *n = nesting();
	struct packet p;
	__u32 level;

	if (!n)
		return PASS; /* not possible: there is one for each CPU */
	level = get_nest_level(n);
	if (unlikely(!parse_fast((void *)(long)skb->data, (void *)(long)skb->data_end, &f, &p))) {
		struct parser *s;

		cgroup_parse(skb, direction, level);
		s = parser(level);
		if (!s) {
			count_lost(f.segments ?: 1, f.len);
			return PASS;
		}
		p = s->p;
	}
	p.key.netns = netns(skb);
	count_socket(&p, bpf_skb_cgroup_id(skb), bpf_get_socket_cookie(skb), level);
	put_nest_level(n, level);
	return PASS;
}

SEC("cgroup_skb/ingress")
int cgroup_ingress(struct __sk_buff *skb)
{
	return count_cgroup(skb, DIR_INGRESS);
}

SEC("cgroup_skb/egress")
int cgroup_egress(struct __sk_buff *skb)
{
	return count_cgroup(skb, DIR_EGRESS);
}

char _license[] SEC("license") = "Dual MIT/GPL";
