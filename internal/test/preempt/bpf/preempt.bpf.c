// SPDX-License-Identifier: MIT
// Counts at cgroup_skb, all packets to one flow, with a pause between the load and the
// store of its counters; and an account of what was given to the programs.

/* A value that the compiler cannot foresee, made in a thousand steps. */
#define COUNT_DELAY(value)                                       \
	do {                                                     \
		for (__u32 i = 0; i < 1000; i++)                 \
			asm volatile("" : "+r"(i), "+r"(value)); \
	} while (0)

#include "../../../../bpf/cgroup.bpf.c"

/* What the programs were given, added to atomically. */
struct sums seen;

static __always_inline int count_at(struct __sk_buff *skb, __u32 level)
{
	struct frame f = cgroup_frame(skb, DIR_INGRESS);
	struct packet p;

	__sync_fetch_and_add(&seen.packets, 1);
	__sync_fetch_and_add(&seen.bytes, f.len);
	if (!parse_fast((void *)(long)skb->data, (void *)(long)skb->data_end, &f, &p))
		return PASS; /* not what the test sends */
	__builtin_memset(&p.key, 0, sizeof(p.key));
	p.key.meta = KIND_IPV4 << META_KIND_SHIFT | META_USED;
	count_socket(&p, 0, 0, level);
	return PASS;
}

/* The way in and the way out are programs of their own, as in bpf/cgroup.bpf.c. */

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

/* As if nobody could interrupt. */

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
