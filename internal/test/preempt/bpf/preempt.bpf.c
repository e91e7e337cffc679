// SPDX-License-Identifier: MIT
// Counts all packets at cgroup_skb in one flow, with a pause between the load and the store of its
// counters. A second sum, of all packets that the programs saw, is always exact.

/* A pause of a thousand steps, which the compiler cannot remove. */
#define COUNT_DELAY(value)                                       \
	do {                                                     \
		for (__u32 i = 0; i < 1000; i++)                 \
			asm volatile("" : "+r"(i), "+r"(value)); \
	} while (0)

#include "../../../../bpf/cgroup.bpf.c"

/* The packets that the programs saw. They add to it atomically. */
struct sums seen;

static __always_inline int count_at(struct __sk_buff *skb, __u32 level)
{
	struct frame f = cgroup_frame(skb, DIR_INGRESS);
	struct packet p;

	__sync_fetch_and_add(&seen.packets, 1);
	__sync_fetch_and_add(&seen.bytes, f.len);
	if (!parse_fast((void *)(long)skb->data, (void *)(long)skb->data_end, &f, &p))
		return PASS; /* the test does not send this */
	__builtin_memset(&p.key, 0, sizeof(p.key));
	p.key.meta = KIND_IPV4 << META_KIND_SHIFT | META_USED;
	count_socket(&p, 0, 0, level);
	return PASS;
}

/* Ingress and egress have a program each, as in bpf/cgroup.bpf.c. */

static __always_inline int count_guarded(struct __sk_buff *skb)
{
	struct nesting *n = nesting();
	__u32 level;

	if (!n)
		return PASS;
	level = get_nest_level(n);
	count_at(skb, level);
	put_nest_level(n, level);
	return PASS;
}

SEC("cgroup_skb/ingress")
int guarded_ingress(struct __sk_buff *skb)
{
	return count_guarded(skb);
}

SEC("cgroup_skb/egress")
int guarded_egress(struct __sk_buff *skb)
{
	return count_guarded(skb);
}

/* These take no level, as if no program could interrupt another one. */

SEC("cgroup_skb/ingress")
int careless_ingress(struct __sk_buff *skb)
{
	return count_at(skb, 0);
}

SEC("cgroup_skb/egress")
int careless_egress(struct __sk_buff *skb)
{
	return count_at(skb, 0);
}
