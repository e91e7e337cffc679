/* SPDX-License-Identifier: MIT */
/* The flow table for hooks that run with softirqs enabled, as cgroup_skb on its way out
 * does: on one CPU, a packet that is sent can be interrupted by one that arrives, in the
 * middle of parse() or of an update.
 *
 * So a program enters a level of its CPU. Only one can be in a level. The first level
 * may work on the shard; the others add to side.shared, atomically: their packets are counted,
 * though to no flow. Each level has its own place for parse(). */
#pragma once

#include "table.h"

/* Set by internal/kernel/bpfflow before the load, as buckets_wide and hash_key. */
const volatile __u32 buckets_owned = 64;
const volatile __u64 hash_owner[4] = {};

SHARDS_OF(struct bucket_owned) flows_owned SEC(".maps");
SHARDS_OF(__u64) touched_owned SEC(".maps");

/* A task, a softirq, and two more for tasks that preempt each other. */
#define LEVELS 4

/* Who is in each level of a CPU. On a cache line of its own. */
struct inside {
	__u64 programs[LEVELS];
	__u64 pad[4];
};

/* One for each CPU, also for those without a shard. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct inside);
} insides SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LEVELS);
	__type(key, __u32);
	__type(value, struct parser);
} parsers SEC(".maps");

/* The place for parse() of a level; NULL: it has none. */
static __always_inline struct parser *parser(__u32 level)
{
	return bpf_map_lookup_elem(&parsers, &level);
}

static __always_inline struct inside *inside(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&insides, &cpu);
}

/* Returns the level that was entered; LEVELS: none.
 *
 * An atomic add whose result is not asked for, and a load: that is all that kernels before
 * 5.12 have, and it is enough. Whoever reads 1 is alone, because whoever comes later reads
 * more. Two that preempt each other between the two steps may both find that they are not
 * alone, and that does no harm. */
static __always_inline __u32 enter(struct inside *in)
{
	__u32 level;

#pragma unroll
	for (level = 0; level < LEVELS; level++) {
		__sync_fetch_and_add(&in->programs[level], 1);
		if (likely(*(volatile __u64 *)&in->programs[level] == 1))
			break;
		__sync_fetch_and_add(&in->programs[level], -1);
	}
	return level;
}

static __always_inline void leave(struct inside *in, __u32 level)
{
	if (likely(level < LEVELS))
		__sync_fetch_and_add(&in->programs[level], -1);
}

/* Adds a packet to its flow; the key's ifindex is 0. */
static __always_inline void count_owned(const struct packet *p, __u64 cgroup, __u64 socket,
					__u32 level)
{
	union key_owned k = { .flow = p->key };
	__u64 hash = hash_owner[0] * (__u32)cgroup + hash_owner[1] * (cgroup >> 32) +
		     hash_owner[2] * (__u32)socket + hash_owner[3] * (socket >> 32);

	k.cgroup = cgroup;
	k.socket = socket;
	if (likely(level == 0))
		count_in(&flows_owned, &touched_owned, buckets_owned, k.word, 8,
			 mix(hash_words(k.word, 6) + hash), p);
	else
		count_shared(epoch.active & 1, p, is_ip(k.word, 8));
}

/* For packets that found no level. */
static __always_inline void count_lost(__u32 packets, __u32 bytes)
{
	__u32 row = epoch.active & 1;
	struct side *side = bpf_map_lookup_elem(&sides, &row);

	if (!side)
		return; /* not possible: row is 0 or 1 */
	__sync_fetch_and_add(&side->lost.packets, packets);
	__sync_fetch_and_add(&side->lost.bytes, bytes);
	__sync_fetch_and_add(&side->lost.frame_bytes, bytes);
}
