/* SPDX-License-Identifier: MIT */
/* Nesting levels, for hooks that run with softirqs enabled, as cgroup_skb does on egress. On one
 * CPU, the program of an arriving packet can interrupt the program of an outgoing packet. That can
 * happen in the middle of parse() or of an update.
 *
 * So each program takes a nesting level of its CPU, and at most one program has a level. The
 * kernel guards its per-CPU buffers in the same way (get_recursion_context() of perf,
 * bpf_bprintf_nest_level). The program at level 0 may write to the shard. Programs at other levels
 * add to side.interrupted, atomically. Each level has a parser of its own. */
#pragma once

#include "parse.h"
#include "table.h"

/* A task, a softirq, and two tasks more that preempt each other. */
#define MAX_NEST_LEVEL 4

/* How many programs of a CPU are at each level. On a cache line of its own. */
struct nesting {
	__u64 level[MAX_NEST_LEVEL];
	__u64 pad[4];
};

/* One entry for each CPU, also for CPUs without a shard. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* user space sets it before the load */
	__type(key, __u32);
	__type(value, struct nesting);
} nestings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_NEST_LEVEL);
	__type(key, __u32);
	__type(value, struct parser);
} parsers SEC(".maps");

/* Returns the parser of a level; NULL if the level is MAX_NEST_LEVEL. */
static __always_inline struct parser *parser(__u32 level)
{
	return bpf_map_lookup_elem(&parsers, &level);
}

static __always_inline struct nesting *nesting(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&nestings, &cpu);
}

/* Takes a level and returns it. MAX_NEST_LEVEL: all levels are busy.
 *
 * Kernels before 5.12 have no atomic add that returns the result. An atomic add and a load are
 * enough: a program that reads 1 is alone, because later programs read more. Two programs that
 * preempt each other between the two steps may both read 2. Then both try the next level. */
static __always_inline __u32 get_nest_level(struct nesting *n)
{
	__u32 level;

#pragma unroll
	for (level = 0; level < MAX_NEST_LEVEL; level++) {
		__sync_fetch_and_add(&n->level[level], 1);
		if (likely(*(volatile __u64 *)&n->level[level] == 1))
			break;
		__sync_fetch_and_add(&n->level[level], -1);
	}
	return level;
}

/* Gives a level back. MAX_NEST_LEVEL is no level: nothing happens. */
static __always_inline void put_nest_level(struct nesting *n, __u32 level)
{
	if (likely(level < MAX_NEST_LEVEL))
		__sync_fetch_and_add(&n->level[level], -1);
}

/* Counts packets that were not parsed because all levels were busy. */
static __always_inline void count_lost(__u32 packets, __u32 bytes)
{
	__u32 row = epoch.active & 1;
	struct side *side = bpf_map_lookup_elem(&sides, &row);

	if (!side)
		return; /* not possible: row is 0 or 1 */
	__sync_fetch_and_add(&side->lost.packets, packets);
	__sync_fetch_and_add(&side->lost.bytes, bytes);
}
